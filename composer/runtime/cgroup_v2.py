"""Control groups of version 2: one tree <https://docs.kernel.org/admin-guide/cgroup-v2.html>.

A group with processes cannot hand controllers to groups below it ("no internal processes"), so ours often cannot lie below
our own: the engine's shell sits there. The parent is the nearest ancestor that we may write to and that already hands
down the controllers we need: for root the top of the tree, for a user the slice that systemd delegates.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from composer.errors import HostError
from composer.kernel import bpf
from composer.oci.runtime_spec import LinuxDeviceCgroup, LinuxResources
from composer.runtime import device_filter, device_rules
from composer.runtime.cgroup import (
    Cgroup,
    Setting,
    common_settings,
    count,
    kill_below,
    make,
    processes_below,
    remove_tree,
    write_settings,
)

_WANTED = frozenset({"memory", "cpu", "pids"})
_OPTIONAL = frozenset({"cpuset"})

_FILES = {
    "memory.limit_in_bytes": "memory.max",
    "memory.memsw.limit_in_bytes": "memory.swap.max",
    "memory.soft_limit_in_bytes": "memory.low",
    "cpu.shares": "cpu.weight",
    "cpu.cfs_quota_us": "cpu.max",
    "cpuset.cpus": "cpuset.cpus",
    "pids.max": "pids.max",
}


class CgroupsV2:
    """The groups of one engine below `ancestor`, which `ancestor` finds; `filters_devices` takes privileges."""

    def __init__(self, ancestor: Path, engine_id: str, *, filters_devices: bool = False) -> None:
        self._parent = ancestor / f"composer-{engine_id}"
        self._filters_devices = filters_devices
        self._filters: dict[tuple[LinuxDeviceCgroup, ...], int] = {}
        """The programs of the rules that were asked for, by rules: most containers share one."""

    def create(self, name: str, resources: LinuxResources | None = None) -> Cgroup:
        directory = self._parent / name
        make(self._parent)
        # One by one: a controller that is not to be had must not take the others with it.
        for controller in sorted(_available(self._parent) & (_WANTED | _OPTIONAL) - _handed_down(self._parent)):
            with suppress(OSError):
                (self._parent / "cgroup.subtree_control").write_text(f"+{controller}")
        if not directory.exists():
            make(directory)
            if self._filters_devices:
                self._filter_devices(directory, resources.devices if resources else ())
        controllers = _handed_down(self._parent)
        unenforced = write_settings(settings(resources), dict.fromkeys(controllers, directory))
        if resources and resources.memory and resources.memory.swappiness is not None:
            unenforced = (*unenforced, "swappiness is not enforced: cgroup v2 has none")
        return Cgroup(name, (str(directory),), (("", str(directory)),), unenforced)

    def _filter_devices(self, directory: Path, own: tuple[LinuxDeviceCgroup, ...]) -> None:
        group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if own not in self._filters:
                program = device_filter.assemble(device_rules.with_own(own))
                self._filters[own] = bpf.load(bpf.CGROUP_DEVICE, program, "composer_device")
            bpf.attach_device_filter(group, self._filters[own])
        except OSError as error:
            directory.rmdir()  # a container without its filter could open the host's disks
            raise HostError(
                f"cannot limit which devices a container opens: {error.strerror} ({error.filename})",
                hint="the engine runs as root but may not use bpf(2); run it as an ordinary user, or allow CAP_BPF",
            ) from error
        finally:
            os.close(group)

    def names(self) -> tuple[str, ...]:
        if not self._parent.is_dir():
            return ()
        return tuple(sorted(path.name for path in self._parent.iterdir() if path.is_dir()))

    def processes(self, name: str) -> tuple[int, ...]:
        return processes_below(self._parent / name)

    def kill(self, name: str) -> None:
        file = self._parent / name / "cgroup.kill"
        if file.exists():  # kernel 5.14
            with suppress(FileNotFoundError):
                file.write_text("1")
        kill_below(self._parent / name)

    def oom_kills(self, name: str) -> int:
        return count(self._parent / name / "memory.events", "oom_kill")

    def remove(self, name: str) -> None:
        remove_tree(self._parent / name)

    def remove_parent(self) -> None:
        if not self.names():
            remove_tree(self._parent)


def settings(resources: LinuxResources | None) -> tuple[Setting, ...]:
    """What is asked for with the files and units of v2."""
    return tuple(_translated(resources))


def _translated(resources: LinuxResources | None) -> Iterator[Setting]:
    memory = resources.memory if resources else None
    period = (resources.cpu.period if resources and resources.cpu else None) or 100_000
    common = common_settings(resources)
    if not any(setting.file == "cpu.cfs_quota_us" for setting in common):
        # A period without a quota limits nothing, here as in v1.
        common = tuple(setting for setting in common if setting.file != "cpu.cfs_period_us")
    for setting in common:
        if setting.file not in _FILES:
            continue  # the period travels with the quota; swappiness is reported by `create`
        value = "max" if setting.value == "-1" else setting.value
        if setting.file == "cpu.shares":
            # 2..262144 onto 1..10000, as runc and systemd do it (KEP-2254).
            value = str(1 + (min(max(int(value), 2), 262144) - 2) * 9999 // 262142)
        elif setting.file == "cpu.cfs_quota_us":
            value = f"{value} {period}"
        elif setting.file == "memory.memsw.limit_in_bytes" and value != "max":
            # v1 counts memory and swap together, v2 swap alone.
            value = str(max(0, int(value) - ((memory.limit or 0) if memory else 0)))
        yield Setting(setting.controller, _FILES[setting.file], value, setting.asked)


def ancestor(mount: Path, position: str) -> Path | None:
    """Where our groups can lie: see the module docstring. None where we may write nowhere on the way up."""
    own = mount / position.lstrip("/")
    best, most = None, -1
    for candidate in (own, *own.parents):
        if not candidate.is_relative_to(mount):
            break
        if not os.access(candidate, os.W_OK) or not os.access(candidate / "cgroup.procs", os.W_OK):
            continue
        if candidate == own:
            # Ours to change; the groups above are somebody else's, and taken as they are.
            for controller in sorted(_available(own) & _WANTED - _handed_down(own)):
                with suppress(OSError):
                    (own / "cgroup.subtree_control").write_text(f"+{controller}")
        useful = len(_handed_down(candidate) & _WANTED)
        if useful > most:
            best, most = candidate, useful
    return best


def _available(group: Path) -> frozenset[str]:
    return _words(group / "cgroup.controllers")


def _handed_down(group: Path) -> frozenset[str]:
    return _words(group / "cgroup.subtree_control")


def _words(file: Path) -> frozenset[str]:
    try:
        return frozenset(file.read_text().split())
    except OSError:
        return frozenset()
