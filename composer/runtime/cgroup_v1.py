"""Control groups of version 1: a tree a controller, each joined by itself.

<https://docs.kernel.org/admin-guide/cgroup-v1/>. Groups are made below the position that this process has in each tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from composer.oci.runtime_spec import LinuxDeviceCgroup, LinuxResources
from composer.runtime import device_rules
from composer.runtime.cgroup import (
    Cgroup,
    common_settings,
    count,
    kill_below,
    make,
    processes_below,
    remove_tree,
    write_settings,
)

_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids")
"""Made for every container: limits, and what `stats` will read."""

_SHARED_DEVICES = "default-devices"
"""The devices group of every container that asks for no device: its rules are written once, not a dozen a start."""


class CgroupsV1:
    """The groups of one engine; `hierarchies` are our position in each tree by the controllers that are mounted there."""

    def __init__(self, hierarchies: Mapping[str, Path], engine_id: str) -> None:
        self._parents = {place: position / f"composer-{engine_id}" for place, position in hierarchies.items()}
        self._places = {name: place for place in hierarchies for name in place.split(",")}

    def create(self, name: str, resources: LinuxResources | None = None) -> Cgroup:
        settings = common_settings(resources)
        controllers = [*_CONTROLLERS, *(["cpuset"] if any(s.controller == "cpuset" for s in settings) else [])]
        places = dict.fromkeys(self._places[name] for name in controllers if name in self._places)
        directories = {place: self._parents[place] / name for place in places}
        for directory in directories.values():
            make(directory.parent)
            make(directory)
            if (directory / "cpuset.cpus").exists():
                _inherit_cpuset(directory)
        by_controller = {name: directories[place] for name, place in self._places.items() if place in directories}
        unenforced = write_settings(settings, by_controller)
        joined = [*directories.values(), *self._devices(name, resources.devices if resources else ())]
        return Cgroup(
            name,
            directories=tuple(map(str, joined)),
            views=tuple((place, str(directory)) for place, directory in directories.items()),
            unenforced=unenforced,
        )

    def names(self) -> tuple[str, ...]:
        found = {
            path.name
            for parent in self._parents.values()
            if parent.is_dir()
            for path in parent.iterdir()
            if path.is_dir()
        }
        return tuple(sorted(found - {_SHARED_DEVICES}))

    def processes(self, name: str) -> tuple[int, ...]:
        return tuple(sorted({pid for parent in self._own_first() for pid in processes_below(parent / name)}))

    def kill(self, name: str) -> None:
        # In every tree: a process that was killed over its start may have joined some of them only.
        for parent in self._parents.values():
            kill_below(parent / name)

    def oom_kills(self, name: str) -> int:
        place = self._places.get("memory")
        return count(self._parents[place] / name / "memory.oom_control", "oom_kill") if place else 0

    def remove(self, name: str) -> None:
        for place, parent in self._parents.items():
            if place == self._places.get("memory"):
                # Otherwise the group lives on, unseen, for as long as a page of its cache does.
                with suppress(OSError):
                    (parent / name / "memory.force_empty").write_text("0")
            remove_tree(parent / name)

    def remove_parent(self) -> None:
        if self.names():
            return
        for parent in self._parents.values():
            remove_tree(parent)

    def _own_first(self) -> list[Path]:
        """The trees in which every container has a group of its own; one of them tells its processes."""
        places = (self._places[name] for name in _CONTROLLERS if name in self._places)
        return [self._parents[place] for place in dict.fromkeys(places)][:1]

    def _devices(self, name: str, rules: tuple[LinuxDeviceCgroup, ...]) -> tuple[Path, ...]:
        if "devices" not in self._places:
            return ()
        parent = self._parents[self._places["devices"]]
        directory = parent / (name if rules else _SHARED_DEVICES)
        ready = not rules and directory.exists() and not (directory / "devices.list").read_text().startswith("a ")
        if not ready:
            make(parent)
            make(directory)
            for rule in device_rules.with_own(rules):
                (directory / ("devices.allow" if rule.allow else "devices.deny")).write_text(device_rule(rule))
        return (directory,)


def device_rule(rule: LinuxDeviceCgroup) -> str:
    """The rule as `devices.allow` and `devices.deny` take it."""
    if rule.type in ("", "a"):
        return "a"
    major, minor = ("*" if number is None else str(number) for number in (rule.major, rule.minor))
    return f"{rule.type} {major}:{minor} {rule.access or 'rwm'}"


def hierarchies(mountinfo: str, position: str) -> dict[str, Path]:
    """Our directory in each v1 tree, by the controllers mounted there (`cpu,cpuacct`).

    From the texts of /proc/self/mountinfo and /proc/self/cgroup. Inside a container a mount may show a part of the tree
    only; then our position is where that part begins.
    """
    mounts: dict[frozenset[str], tuple[Path, str]] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        kind, _source, options = right.split(" ")[:3]
        if kind == "cgroup":
            fields = left.split(" ")
            mounts[frozenset(options.split(","))] = (Path(fields[4]), fields[3])
    found = {}
    for line in position.splitlines():
        _number, controllers, path = line.split(":", 2)
        names = frozenset(controllers.split(","))
        for mounted, (point, root) in mounts.items():
            if controllers and names <= mounted:
                inside = Path(path).is_relative_to(root)
                found[controllers] = point / Path(path).relative_to(root) if inside else point
    return found


def _inherit_cpuset(directory: Path) -> None:
    """A new cpuset has no CPU and no memory node, and takes no process before it has both."""
    for group in (directory.parent, directory):
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not (group / file).read_text().strip():
                (group / file).write_text((group.parent / file).read_text())
