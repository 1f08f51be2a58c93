"""Looking into an image's root file system without mounting it.

Walks a chain of layers, topmost first, the way overlay merges them (overlayfs.rst): the first layer that has a name
decides, directories merge downwards until one is opaque or a whiteout ends it. Symlinks are resolved inside the root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_LINKS = 40
_ATTRIBUTES = ("trusted.overlay.", "user.overlay.")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a path leads to: a merged directory, or something else in the directory `parent`."""

    directories: tuple[int, ...] = ()
    parent: int = -1
    name: str = ""
    mode: int = 0


def read_file(layers: Sequence[Path], path: str, most: int = 1 << 20) -> bytes | None:
    """The content of the regular file `path`, `most` bytes at most; None where there is no such file."""
    with ExitStack() as stack:
        found = _find(layers, path, stack)
        if found is None or not stat.S_ISREG(found.mode):
            return None
        descriptor = os.open(found.name, _FILE, dir_fd=found.parent)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(most)


def is_directory(layers: Sequence[Path], path: str) -> bool:
    """Whether `path` is a directory or a symlink to one."""
    with ExitStack() as stack:
        found = _find(layers, path, stack)
        return found is not None and bool(found.directories)


def _find(layers: Sequence[Path], path: str, stack: ExitStack) -> _Found | None:
    top: tuple[int, ...] = ()
    for layer in layers:
        try:
            top = (*top, _keep(os.open(layer, _DIRECTORY), stack))
        except FileNotFoundError:
            continue
    trail, links = [top], 0
    pending = deque(PurePosixPath(path).parts)
    while pending:
        name = pending.popleft()
        if name in ("/", ".", ""):
            continue
        if name == "..":
            trail = trail[:-1] or trail
            continue
        found = _step(trail[-1], name, stack)
        if found is None:
            return None
        if stat.S_ISLNK(found.mode):
            if (links := links + 1) > _MAX_LINKS:
                return None
            target = os.readlink(found.name, dir_fd=found.parent)
            if target.startswith("/"):
                trail = trail[:1]
            pending.extendleft(reversed(target.split("/")))
        elif found.directories:
            trail.append(found.directories)
        else:
            return None if any(part not in ("", ".") for part in pending) else found
    return _Found(directories=trail[-1])


def _step(directories: tuple[int, ...], name: str, stack: ExitStack) -> _Found | None:
    """What `name` is in a merged directory."""
    merged: list[int] = []
    for directory in directories:
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(status.st_mode):
            if merged or _is_whiteout(directory, name, status):
                break
            return _Found(parent=directory, name=name, mode=status.st_mode)
        merged.append(_keep(os.open(name, _DIRECTORY, dir_fd=directory), stack))
        if _attribute(merged[-1], "opaque") == b"y":
            break
    return _Found(directories=tuple(merged)) if merged else None


def _is_whiteout(directory: int, name: str, status: os.stat_result) -> bool:
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    # The other form: an empty file with an attribute, in a directory that says it has such files.
    if not stat.S_ISREG(status.st_mode) or status.st_size or _attribute(directory, "opaque") != b"x":
        return False
    descriptor = os.open(name, _FILE, dir_fd=directory)
    try:
        return _attribute(descriptor, "whiteout") is not None
    finally:
        os.close(descriptor)


def _attribute(descriptor: int, name: str) -> bytes | None:
    for prefix in _ATTRIBUTES:
        try:
            return os.getxattr(descriptor, prefix + name)
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.ENOTSUP, errno.EPERM):
                raise
    return None


def _keep(descriptor: int, stack: ExitStack) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
