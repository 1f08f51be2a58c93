"""What a network needs of the engine: work done in children of the keeper, and descriptors kept where they outlive the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from composer.keeper.steps import Step


class Jobs(Protocol):
    """Performs steps in a child of the keeper."""

    async def run(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """The descriptors that were reported, now the caller's. Raises ContainerError with the step that failed."""


class Held(Protocol):
    """What a store has under a name."""

    @property
    def meta(self) -> Mapping[str, Any]: ...

    @property
    def fds(self) -> Sequence[int]: ...


class Store(Protocol):
    """The keeper's store, as its client in the engine offers it."""

    @property
    def store(self) -> Mapping[str, Held]:
        """What is held now, by name."""

    async def put(self, name: str, meta: dict[str, Any], fds: Sequence[int]) -> None:
        """Hold duplicates of these from now on, in place of what had the name."""

    async def drop(self, name: str) -> None:
        """Let go of what has the name; nothing there is fine."""
