"""A container's control group behind one port: v1, v2, or nothing where none can be had (`cgroups(7)`).

Everything of one engine lies in a group of its own, `composer-<engine id>`, and is found again by the container's id, so
that a restarted engine can enumerate and remove what a dead one left. What cannot be limited here is reported by
`Cgroup.unenforced`, never dropped.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from composer.errors import HostError
from composer.oci.runtime_spec import LinuxResources

_SHORTLY = 0.5
"""Seconds that a group's processes may take to die after SIGKILL."""

_GONE_WITHIN = 5.0
"""Seconds that a group may stay busy: a zombie counts until its parent, which may be the machine's init, has reaped it."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One container's group; `directories` is what its first process joins."""

    name: str
    directories: tuple[str, ...] = ()
    views: tuple[tuple[str, str], ...] = ()
    """(place below /sys/fs/cgroup, directory) to show inside: one with an empty place for v2, one a hierarchy for v1."""
    unenforced: tuple[str, ...] = ()
    """Limits that were asked for and cannot be set here, each a sentence."""


NO_CGROUP = Cgroup("")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value to write: the file in the group's directory of `controller`, and what the user calls it."""

    controller: str
    file: str
    value: str
    asked: str


class Cgroups(Protocol):
    """The groups of one engine. Every method may be called again; a group that is gone is no error."""

    def create(self, name: str, resources: LinuxResources | None = None) -> Cgroup:
        """The group `name` with its limits set, made if missing. Raises HostError when it cannot be made at all."""

    def names(self) -> tuple[str, ...]:
        """The groups that are there."""

    def processes(self, name: str) -> tuple[int, ...]:
        """The pids in the group and in groups below it."""

    def kill(self, name: str) -> None:
        """SIGKILL to every process in the group, until none is left or a moment has passed."""

    def oom_kills(self, name: str) -> int:
        """How many processes the kernel killed here for want of memory."""

    def remove(self, name: str) -> None:
        """Remove the empty group. Raises HostError while processes are in it."""

    def remove_parent(self) -> None:
        """Remove the engine's own group, if no container's is left in it."""


class NoCgroups:
    """Where there is no cgroup to write to: containers run, limits are reported."""

    def create(self, name: str, resources: LinuxResources | None = None) -> Cgroup:
        asked = (setting.asked for setting in common_settings(resources))
        return Cgroup(name, unenforced=tuple(f"{what} is not enforced: no cgroup is delegated here" for what in asked))

    def names(self) -> tuple[str, ...]:
        return ()

    def processes(self, name: str) -> tuple[int, ...]:
        return ()

    def kill(self, name: str) -> None:
        """Nothing: killing pid 1 of a pid namespace kills everything in it."""

    def oom_kills(self, name: str) -> int:
        return 0

    def remove(self, name: str) -> None: ...

    def remove_parent(self) -> None: ...


def common_settings(resources: LinuxResources | None) -> tuple[Setting, ...]:
    """What is asked for, in the order to write it, with the names and units of v1; v2 translates these."""
    if resources is None:
        return ()
    memory, cpu, pids = resources.memory, resources.cpu, resources.pids
    wanted = [
        # The limit before limit-and-swap: the second may never be below the first.
        ("memory", "memory.limit_in_bytes", memory and memory.limit, "the memory limit"),
        ("memory", "memory.memsw.limit_in_bytes", memory and memory.swap, "the swap limit"),
        ("memory", "memory.soft_limit_in_bytes", memory and memory.reservation, "the memory reservation"),
        ("memory", "memory.swappiness", memory and memory.swappiness, "swappiness"),
        ("cpu", "cpu.shares", cpu and cpu.shares, "the CPU weight"),
        ("cpu", "cpu.cfs_period_us", cpu and cpu.period, "the CPU period"),
        ("cpu", "cpu.cfs_quota_us", cpu and cpu.quota, "the CPU limit"),
        ("cpuset", "cpuset.cpus", (cpu and cpu.cpus) or None, "the set of CPUs"),
        ("pids", "pids.max", pids and ("max" if pids.limit < 0 else pids.limit), "the limit of processes"),
    ]
    return tuple(Setting(where, file, str(value), asked) for where, file, value, asked in wanted if value is not None)


def write_settings(settings: Iterable[Setting], directories: dict[str, Path]) -> tuple[str, ...]:
    """Write each setting; a sentence for each that this machine does not take."""
    unenforced = []
    for setting in settings:
        directory = directories.get(setting.controller)
        if directory is None:
            unenforced.append(f"{setting.asked} is not enforced: no `{setting.controller}` controller here")
            continue
        try:
            (directory / setting.file).write_text(setting.value)
        except OSError as error:
            unenforced.append(f"{setting.asked} is not enforced: {setting.file}: {error.strerror}")
    return tuple(unenforced)


def make(directory: Path) -> None:
    """The directory, made if missing."""
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise HostError(
            f"cannot make the cgroup `{directory}`: {error.strerror}",
            hint="the engine needs a cgroup it may write to; as root it has one, as a user systemd must delegate it",
        ) from error


def processes_below(directory: Path) -> tuple[int, ...]:
    """The pids in `directory` and below; none if it is gone."""
    pids: list[int] = []
    for path, _directories, _files in os.walk(directory):
        with suppress(OSError):
            pids += map(int, Path(path, "cgroup.procs").read_text().split())
    return tuple(pids)


def kill_below(directory: Path) -> None:
    """SIGKILL to what is there, again while it forks; pids of a cgroup cannot be reused while we read them twice."""
    deadline = time.monotonic() + _SHORTLY
    while (pids := processes_below(directory)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def remove_tree(directory: Path) -> None:
    """Remove a group and the groups below it; busy ones are tried again shortly, since exits are asynchronous."""
    try:
        directory.rmdir()
    except FileNotFoundError:
        return
    except OSError:  # it is busy, or not the last of its tree
        _remove_from_below(directory)


def _remove_from_below(directory: Path) -> None:
    for path, _directories, _files in os.walk(directory, topdown=False):
        deadline = time.monotonic() + _GONE_WITHIN
        while True:
            try:
                Path(path).rmdir()
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno == errno.EBUSY and time.monotonic() < deadline:
                    time.sleep(0.002)
                    continue
                raise HostError(f"cannot remove the cgroup `{path}`: {error.strerror}") from error
            else:
                break


def count(file: Path, key: str) -> int:
    """The number beside `key` in a flat keyed file; 0 when either is missing."""
    with suppress(OSError):
        for line in file.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0
