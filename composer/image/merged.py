"""A directory of several layers as overlay shows it, without a mount: a descriptor for each layer that has it, topmost first.

The first layer that has a name decides; directories merge downwards until one is opaque, or a whiteout or a file ends it
(overlayfs.rst). Both places where overlay keeps its marks are read. Links are not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

Directories = tuple[tuple[int, int], ...]
"""(which layer, descriptor), topmost first."""

ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PREFIXES = ("trusted.overlay.", "user.overlay.")
_NONE = (errno.ENODATA, errno.ENOTSUP, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Found:
    """What a name is in a merged directory: in `layers`, topmost first; several only for a directory."""

    status: os.stat_result
    layers: tuple[int, ...]

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


def open_layers(layers: Sequence[Path], stack: ExitStack) -> Directories:
    """The root of a chain of layers; one that is not there has nothing in it. Raises OSError."""
    opened: list[tuple[int, int]] = []
    for layer, path in enumerate(layers):
        try:
            descriptor = os.open(path, ENTER)
        except FileNotFoundError:
            continue
        stack.callback(os.close, descriptor)
        opened.append((layer, descriptor))
    return tuple(opened)


def look_up(directories: Directories, name: str) -> Found | None:
    """What `name` is; None where there is none. Raises OSError."""
    found: Found | None = None
    for layer, directory in directories:
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue
        found, more = _combine(found, status, layer, directory, name)
        if not more:
            return found
    return found


def enter(directories: Directories, name: str, found: Found, keep: Callable[[int], None]) -> Directories:
    """The merged directory `name`, which was `found`; `keep` is told of each descriptor opened. Raises OSError."""
    opened: list[tuple[int, int]] = []
    for layer, directory in directories:
        if layer not in found.layers:
            continue
        descriptor = os.open(name, ENTER, dir_fd=directory)
        keep(descriptor)
        opened.append((layer, descriptor))
        if layer != found.layers[-1] and is_opaque(descriptor):
            break
    return tuple(opened)


def list_merged(directories: Directories) -> dict[str, Found]:
    """Everything in a merged directory by name. Raises OSError."""
    if len(directories) == 1:
        return _list_lowest(*directories[0])
    merged: dict[str, Found | None] = {}
    ended: set[str] = set()
    for layer, directory in directories:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name in ended:
                    continue
                status = entry.stat(follow_symlinks=False)
                merged[entry.name], more = _combine(merged.get(entry.name), status, layer, directory, entry.name)
                if not more:
                    ended.add(entry.name)
    return {name: found for name, found in merged.items() if found is not None}


def _list_lowest(layer: int, directory: int) -> dict[str, Found]:
    listed = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(
                FileNotFoundError
            ):  # deleted just now; or the tree is a mount of overlay's, with a stray mark
                listed[entry.name] = Found(entry.stat(follow_symlinks=False), (layer,))
    if any(_may_hide(found.status) for found in listed.values()):
        return {name: found for name, found in listed.items() if not is_whiteout(directory, name, found.status)}
    return listed


def _combine(
    above: Found | None, status: os.stat_result, layer: int, directory: int, name: str
) -> tuple[Found | None, bool]:
    """What a name is after one more layer, and whether the layers below have a say."""
    if stat.S_ISDIR(status.st_mode):
        return (Found(status, (layer,)) if above is None else Found(above.status, (*above.layers, layer))), True
    if above is not None or is_whiteout(directory, name, status):
        return above, False
    return Found(status, (layer,)), False


def _may_hide(status: os.stat_result) -> bool:
    """Whether it may be a whiteout, judged without a system call."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def is_whiteout(directory: int, name: str, status: os.stat_result) -> bool:
    """Whether it is overlay's sign that the layers below have no `name`."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    # The other form: an empty file with an attribute, in a directory that says it has such files.
    if not _may_hide(status) or attribute(directory, "opaque") != b"x":
        return False
    descriptor = os.open(name, READ, dir_fd=directory)
    try:
        return attribute(descriptor, "whiteout") is not None
    finally:
        os.close(descriptor)


def is_opaque(directory: int) -> bool:
    """Whether the layers below have nothing to say about a directory."""
    return attribute(directory, "opaque") == b"y"


def attribute(descriptor: int, name: str) -> bytes | None:
    """One of overlay's marks, None where it is not set."""
    for prefix in _PREFIXES:
        try:
            return os.getxattr(descriptor, prefix + name)
        except OSError as error:
            if error.errno not in _NONE:
                raise
    return None
