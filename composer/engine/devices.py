"""The devices that a container gets: their nodes and the rules that let it open them, as this machine has them now.

`HOST` may be a directory, which stands for every device below it. A privileged container gets all there are.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from composer.engine.world import ContainerConfig
from composer.errors import ContainerError
from composer.oci.runtime_spec import LinuxDevice, LinuxDeviceCgroup

_NOT_THE_HOSTS = frozenset({"pts", "shm", "fd", "mqueue", "hugepages", ".udev", ".lxc", ".lxd-mounts"})
"""Directories below /dev that every container has of its own, or that are no devices."""
_OWN = frozenset({"console", "ptmx", "tty", "null", "zero", "full", "random", "urandom"})

_RULE = re.compile(r"([abc]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
EVERYTHING = LinuxDeviceCgroup(True, "a")


@dataclass(frozen=True, slots=True)
class Granted:
    """What the devices of a container come to."""

    nodes: tuple[LinuxDevice, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    """(path in the container, the host's node)."""
    rules: tuple[LinuxDeviceCgroup, ...] = ()
    """Beside the default ones."""


def granted(config: ContainerConfig) -> Granted:
    """The nodes to make and the rules to open them.

    Raises:
        ContainerError: a device is not there, or a rule is none.
    """
    if config.privileged:
        found = list(_below(Path("/dev"), "/dev"))
        rules = [EVERYTHING]
    else:
        every = [(grant, _nodes(grant.source, grant.target)) for grant in config.devices]
        found = [entry for _, entries in every for entry in entries]
        rules = [
            LinuxDeviceCgroup(True, node.type, node.major, node.minor, grant.permissions)
            for grant, entries in every
            for node, _ in entries
        ]
        rules += map(_rule, config.device_cgroup_rules)
    sources = tuple((node.path, str(path)) for node, path in found)
    return Granted(tuple(node for node, _ in found), sources, tuple(rules))


def _nodes(source: str, target: str) -> list[tuple[LinuxDevice, Path]]:
    path = Path(source)
    if path.is_dir():
        return list(_below(path, target))
    try:
        found = _node(path, target)
    except OSError as error:
        raise ContainerError(
            f"there is no device `{source}` on this machine: {(error.strerror or 'error').lower()}",
            hint="plug it in or load its driver, or remove it from `devices`",
            step="device",
            about=source,
        ) from error
    if found is None:
        raise ContainerError(
            f"`{source}` is not a device",
            hint="mount files and directories with `volumes`",
            step="device",
            about=source,
        )
    return [(found, path)]


def _below(directory: Path, target: str) -> Iterator[tuple[LinuxDevice, Path]]:
    for place, directories, files in os.walk(directory):
        directories[:] = sorted(name for name in directories if name not in _NOT_THE_HOSTS)
        for name in sorted(files):
            path = Path(place, name)
            if directory == Path("/dev") and str(path.relative_to("/dev")) in _OWN:
                continue
            node = _node(path, f"{target.rstrip('/')}/{path.relative_to(directory)}")
            if node is not None and not path.is_symlink():
                yield node, path


def _node(path: Path, target: str) -> LinuxDevice | None:
    status = path.stat()
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return None
    number = status.st_rdev
    mode = stat.S_IMODE(status.st_mode)
    return LinuxDevice(target, kind, os.major(number), os.minor(number), mode, status.st_uid, status.st_gid)


def _rule(text: str) -> LinuxDeviceCgroup:
    found = _RULE.fullmatch(text.strip())
    if not found:
        raise ContainerError(f"`{text}` is not a rule for devices", hint="write it like `c 1:3 rwm`")
    kind, *numbers, access = found.groups()
    major, minor = (None if number == "*" else int(number) for number in numbers)
    return LinuxDeviceCgroup(True, kind, major, minor, access)
