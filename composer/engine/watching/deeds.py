"""What a service's rules may ask of the engine, beside files: the ports of a `ServiceWatch`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from composer.api.messages import ExecRequest
from composer.engine.processes import Probe
from composer.engine.records import ContainerRecord
from composer.engine.watching.files import Work
from composer.engine.watching.reload import Reload
from composer.engine.watching.sight import Change
from composer.watch.deliver import Delivery
from composer.watch.rules import Rule
from composer.watch.tree import Problem


@dataclass(frozen=True, slots=True)
class Deeds:
    """One project's; `acting.Acting` has the real ones."""

    now: Callable[[], float]
    intend: Callable[[str, str], None]
    """Put on record that a service is to be restarted, for a cause."""
    restart: Callable[[str], Awaitable[bool]]
    """Restart what is to be restarted of a service; whether anything was."""
    rebuild: Callable[[str, str], Awaitable[None]]
    """Build a service's image again and recreate it, for a cause."""
    run: Callable[[ContainerRecord, ExecRequest, float], Awaitable[Probe]]
    """Run a command in a container to its end."""
    ended: Callable[[ContainerRecord], Awaitable[bool]]
    """Whether a container in which a command has just failed has ended with it."""
    reload: Callable[[ContainerRecord, Reload], Awaitable[None]]
    """Tell a container's program that its files have changed."""
    look: Callable[[list[str]], None]
    """Have files, absolute, looked at again."""
    done: Callable[[list[tuple[Rule, Change]]], Awaitable[None]]
    """Put on record that everything that follows from these changes has been done."""


class Containers(Protocol):
    """The files of a service's containers; `files.Files` is the real one."""

    def running(self) -> list[ContainerRecord]: ...

    async def plan(self, touched: set[str], catch_up: set[str]) -> list[Work]: ...

    def doubt(self, targets: Iterable[str]) -> list[str]: ...

    async def deliver(self, work: Work) -> Delivery: ...

    async def followed(self) -> None: ...

    async def verify(self) -> list[Problem]: ...
