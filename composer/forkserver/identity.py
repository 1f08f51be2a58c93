"""Whether a process forked here would be what the client's own process is.

A forked process has our user, groups, capabilities, namespaces and root; only what it can take over (working directory, umask,
limits, ignored signals, processors) may differ. `/proc/<pid>/status` tells it (`proc_pid_status(5)`); the pid is the kernel's
own word (SO_PEERCRED), and the client waits for our answer, so it cannot be somebody else's by now.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SAME = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk")
_NAMESPACES = ("mnt", "pid", "net", "user", "uts", "ipc", "cgroup", "time")
_LIMITS = tuple(value for name, value in vars(resource).items() if name.startswith("RLIMIT_"))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process cannot change of itself."""

    status: tuple[str, ...]
    places: tuple[str, ...]
    priority: int


@dataclass(frozen=True, slots=True)
class Manners:
    """What a command takes over from its client beside what the request has."""

    umask: int
    ignored: frozenset[int]
    processors: frozenset[int]
    limits: tuple[tuple[int, tuple[int, int]], ...]


def peer(connection: socket.socket) -> int:
    """The pid of whoever connected (`struct ucred`)."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("iII", packed)[0])


def identify(pid: int) -> Identity:
    """Who the process is. Raises OSError if it is out of our sight, which one of another user or namespace may be."""
    status = _status(pid)
    links = (f"/proc/{pid}/root", *(f"/proc/{pid}/ns/{name}" for name in _NAMESPACES))
    return Identity(
        tuple(status.get(name, "") for name in _SAME),
        tuple(os.readlink(link) for link in links),  # noqa: PTH115
        os.getpriority(os.PRIO_PROCESS, pid),
    )


def manners(pid: int) -> Manners:
    """What a command of the process takes over. Raises OSError."""
    status = _status(pid)
    ignored = int(status["SigIgn"], 16)
    return Manners(
        umask=int(status["Umask"], 8),
        ignored=frozenset(number for number in range(1, 65) if ignored >> (number - 1) & 1),
        processors=frozenset(os.sched_getaffinity(pid)),
        limits=tuple((limit, resource.prlimit(pid, limit)) for limit in _LIMITS),
    )


def _status(pid: int) -> Mapping[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
