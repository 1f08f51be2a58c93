"""The processes of a container, read from /proc (proc_pid_stat(5)): its first process and all that descend from it."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One process as this machine sees it."""

    pid: int
    parent: int
    user: str
    started: float
    seconds: float
    terminal: str
    command: str


def processes_of(first: int) -> list[Process]:
    """The process `first` and its descendants, oldest first; those that end meanwhile are left out."""
    found, pending = [], [first]
    while pending:
        pid = pending.pop(0)
        process = _read(pid)
        if process is not None:
            found.append(process)
            pending += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += map(int, task.read_text().split())
        except OSError:
            continue
    return children


def _read(pid: int) -> Process | None:
    directory = Path(f"/proc/{pid}")
    try:
        # Field 2, the name, may hold anything, so that fields are counted from behind it: field 3 is the first.
        name, _, rest = (directory / "stat").read_text().rpartition(")")
        words = (directory / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        uid = directory.stat().st_uid
    except OSError:
        return None
    fields, ticks = rest.split(), os.sysconf("SC_CLK_TCK")
    command = b" ".join(words).decode(errors="replace") or f"[{name.partition('(')[2]}]"
    return Process(
        pid=pid,
        parent=int(fields[1]),
        user=_user(uid),
        started=_booted() + int(fields[19]) / ticks,
        seconds=(int(fields[11]) + int(fields[12])) / ticks,
        terminal=_terminal(int(fields[4])),
        command=command,
    )


def _booted() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _terminal(device: int) -> str:
    """The name ps gives a terminal; pts devices have the majors 136 to 143."""
    major, minor = os.major(device), os.minor(device)
    return f"pts/{minor + (major - 136) * 256}" if 136 <= major <= 143 else "?"
