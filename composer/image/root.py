"""Looking into an image's root file system without mounting it.

Walks a chain of layers, topmost first, the way overlay merges them (`merged`). Symlinks are resolved inside the root.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from composer.image.merged import READ, Directories, enter, look_up, open_layers

_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class _Found:
    """What a path leads to: a merged directory, or something else in the directory `parent`."""

    directories: Directories = ()
    parent: int = -1
    name: str = ""
    mode: int = 0


def read_file(layers: Sequence[Path], path: str, most: int = 1 << 20) -> bytes | None:
    """The content of the regular file `path`, `most` bytes at most; None where there is no such file."""
    with ExitStack() as stack:
        found = _find(layers, path, stack)
        if found is None or not stat.S_ISREG(found.mode):
            return None
        descriptor = os.open(found.name, READ, dir_fd=found.parent)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(most)


def has(layers: Sequence[Path], path: str) -> bool:
    """Whether there is anything at `path`, links followed."""
    with ExitStack() as stack:
        return _find(layers, path, stack) is not None


def is_directory(layers: Sequence[Path], path: str) -> bool:
    """Whether `path` is a directory or a symlink to one."""
    with ExitStack() as stack:
        found = _find(layers, path, stack)
        return found is not None and bool(found.directories)


def resolve(layers: Sequence[Path], path: str) -> str:
    """`path`, absolute, with symlinks followed as far as anything is there; what is missing stays as it is written."""
    with ExitStack() as stack:
        trail: list[tuple[str, Directories]] = [("", open_layers(layers, stack))]
        pending, links = deque(PurePosixPath(path).parts), 0
        while pending:
            name = pending.popleft()
            if name in ("/", ".", ""):
                continue
            if name == "..":
                trail = trail[:-1] or trail
                continue
            here = trail[-1][1]
            found = look_up(here, name)
            if found is not None and stat.S_ISLNK(found.status.st_mode) and links < _MAX_LINKS:
                links += 1
                parent = next(descriptor for layer, descriptor in here if layer == found.layers[0])
                target = os.readlink(name, dir_fd=parent)
                trail = trail[:1] if target.startswith("/") else trail
                pending.extendleft(reversed(target.split("/")))
                continue
            inside: Directories = ()
            if found is not None and found.is_directory:
                inside = enter(here, name, found, lambda descriptor: _close_later(descriptor, stack))
            trail.append((name, inside))
    return "/" + "/".join(name for name, _directories in trail[1:])


def _find(layers: Sequence[Path], path: str, stack: ExitStack) -> _Found | None:
    top = open_layers(layers, stack)
    trail, links = [top], 0
    pending = deque(PurePosixPath(path).parts)
    while pending:
        name = pending.popleft()
        if name in ("/", ".", ""):
            continue
        if name == "..":
            trail = trail[:-1] or trail
            continue
        found = look_up(trail[-1], name)
        if found is None:
            return None
        if found.is_directory:
            trail.append(enter(trail[-1], name, found, lambda descriptor: _close_later(descriptor, stack)))
            continue
        parent = next(descriptor for layer, descriptor in trail[-1] if layer == found.layers[0])
        if stat.S_ISLNK(found.status.st_mode):
            if (links := links + 1) > _MAX_LINKS:
                return None
            target = os.readlink(name, dir_fd=parent)
            if target.startswith("/"):
                trail = trail[:1]
            pending.extendleft(reversed(target.split("/")))
        else:
            rest = any(part not in ("", ".") for part in pending)
            return None if rest else _Found(parent=parent, name=name, mode=found.status.st_mode)
    return _Found(directories=trail[-1])


def _close_later(descriptor: int, stack: ExitStack) -> None:
    stack.callback(os.close, descriptor)
