"""What the engine has the keeper run, and what it hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from composer.keeper import steps


@dataclass(frozen=True, slots=True)
class Run:
    """One process to start."""

    id: str
    """Container, exec or job id; unique among what runs."""
    steps: tuple[steps.Step, ...]
    clone: tuple[str, ...] = ()
    """New namespaces: `mnt pid uts ipc cgroup net`."""
    enter: str = ""
    """The name of a pidfd in `fds` whose namespaces are joined first, for an exec."""
    fds: Mapping[str, int] = field(default_factory=dict)
    """Descriptors that the steps refer to by name; they stay the caller's."""
    stdin: str = ""
    """The name of a descriptor; "" is `/dev/null`, or a FIFO as `log` and `keep_stdin` say. So are the next two."""
    stdout: str = ""
    stderr: str = ""
    log: str = ""
    """A directory: stdout and stderr become named FIFOs in `fifos`, moved there by the pump."""
    fifos: str = ""
    keep_stdin: bool = False
    """stdin is a held FIFO `stdin` in `fifos`, whose writing end is reported as `stdin`."""
    journal: bool = True
    """Its exit is kept until acknowledged: containers. Not for jobs and execs."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process that runs; every descriptor is the caller's to close."""

    pid: int
    start_time: int
    pidfd: int
    reported: dict[str, int]


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: `status` 0-255, 128+n for a signal, -1 if nobody can tell."""

    id: str
    pid: int
    status: int
    time: float
    journalled: bool = True
    """A container's, to be acknowledged; not that of a job or an exec."""


@dataclass(frozen=True, slots=True)
class Child:
    """A container that runs; the descriptors are the client's."""

    pid: int
    start_time: int
    pidfd: int
    held: tuple[int, ...] = ()
