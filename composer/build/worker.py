"""The port through which RUN steps become processes; the engine fills it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from composer.build.operations import RunOperation


@dataclass(frozen=True, slots=True)
class Tree:
    """A part of the root file system that a chain of layers makes; what is written into it is lost."""

    target: str
    lower: tuple[Path, ...]
    """Topmost first."""
    path: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of this machine: a cache mount."""

    target: str
    source: Path
    read_only: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """A tmpfs; `size` 0 is without limit."""

    target: str
    size: int


@dataclass(frozen=True, slots=True)
class File:
    """A file that is on no disk: a secret, or a script of the Dockerfile."""

    target: str
    content: bytes = field(repr=False)
    mode: int
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Agent:
    """The user's ssh agent, at `socket` on this machine."""

    target: str
    socket: str
    mode: int
    uid: int
    gid: int


Attached = Tree | Directory | Memory | File | Agent


@dataclass(frozen=True, slots=True)
class RunTask:
    """One RUN, ready to be run."""

    id: str
    operation: RunOperation
    lower: tuple[Path, ...]
    """The layers of the root file system, topmost first."""
    upper: Path
    """Takes what the process writes."""
    scratch: Path
    """A private directory on the same file system, removed by the caller."""
    environment: tuple[tuple[str, str], ...] = field(repr=False, default=())
    """All of it, secrets included."""
    attached: Sequence[Attached] = ()
    """In the order to mount them."""


class Worker(Protocol):
    """Runs steps."""

    async def run(self, task: RunTask, started: Callable[[], None], output: Callable[[bytes], None]) -> int:
        """The exit status of the step's process. `started` is called once its root is mounted: paths may change then.

        However it ends, cancelled too, no process of it lives and nothing of it is mounted. Raises ContainerError where it
        cannot be started, HostError where this machine lacks what it needs.
        """

    async def quiet(self) -> None:
        """Return when nothing is left of steps that have ended, in the kernel or on the network."""
