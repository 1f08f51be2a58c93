"""The seam in the middle: what the engine asks of the world, one method for each operation of a plan.

Every method is idempotent, records its intent before its effect, and raises `ComposerError` with words for the user. The
real ones are put together in `server.wiring`; `tests.fakes.world.FakeWorld` refuses impossible operations.
"""

from __future__ import annotations

from typing import Protocol

from composer.engine.plan import (
    AwaitCondition,
    BuildImage,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    PullImage,
    PushImage,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from composer.engine.world import Observed


class Drivers(Protocol):
    """The world as the executor sees it; each method returns when its effect is there."""

    async def observe(self, project: str) -> Observed:
        """What is there for `project`, from the store and the kernel, unjudged."""

    async def pull_image(self, operation: PullImage) -> None: ...

    async def build_image(self, operation: BuildImage) -> None: ...

    async def push_image(self, operation: PushImage) -> None: ...

    async def create_network(self, operation: CreateNetwork) -> None: ...

    async def remove_network(self, operation: RemoveNetwork) -> None: ...

    async def create_volume(self, operation: CreateVolume) -> None: ...

    async def remove_volume(self, operation: RemoveVolume) -> None: ...

    async def remove_image(self, operation: RemoveImage) -> None: ...

    async def create_container(self, operation: CreateContainer) -> None: ...

    async def start_container(self, operation: StartContainer) -> None: ...

    async def stop_container(self, operation: StopContainer) -> None: ...

    async def remove_container(self, operation: RemoveContainer) -> None: ...

    async def await_condition(self, operation: AwaitCondition) -> None:
        """Return when the condition holds. Raises ContainerError when it cannot hold any more, or at the timeout."""
