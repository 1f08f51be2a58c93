"""What a process changed in a plain copy of a root file system, as the upper directory that an overlay would have written.

Where overlay cannot be had, whoever needs the changes looks at the copy before and after (`photograph`, `harvest`). What was
touched has another inode or another time of its last change of status, which nobody can set. What changed is moved, not
copied, so that several names of a file stay that.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from composer.image.marks import mark, whiteout
from composer.image.merged import ENTER
from composer.image.ownership import Ownership
from composer.keeper.copytree import copy_own_attributes


@dataclass(slots=True)
class Photograph:
    """A directory as it was: its own state, and what it held."""

    state: tuple[int, int]
    """Inode, and nanoseconds of its last change of status."""
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    directories: dict[str, Photograph] = field(default_factory=dict)


def photograph(tree: Path) -> Photograph:
    """The directory `tree` and all below it as they are now. Blocks. Raises OSError."""
    descriptor = os.open(tree, ENTER)
    try:
        return _photograph(descriptor)
    finally:
        os.close(descriptor)


def harvest(tree: Path, before: Photograph, upper: Path, ownership: Ownership) -> None:
    """Move what has changed in `tree` since `before` to the directory `upper`, with marks for what is gone; `tree` is spoilt.

    Both lie on one file system, and nobody writes to either. Blocks. Raises OSError.
    """
    with ExitStack() as stack:
        source, target = os.open(tree, ENTER), os.open(upper, ENTER)
        stack.callback(os.close, source)
        stack.callback(os.close, target)
        _Harvest(ownership).directory(source, before, _Upper(None, "", target))


def _photograph(directory: int) -> Photograph:
    found = Photograph(_state(os.fstat(directory)))
    with os.scandir(directory) as entries:
        listed = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    for name, status in listed:
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, ENTER, dir_fd=directory)
            try:
                found.directories[name] = _photograph(inner)
            finally:
                os.close(inner)
        else:
            found.files[name] = _state(status)
    return found


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_ctime_ns


class _Upper:
    """A directory of the upper one, made once something is to go into it."""

    def __init__(self, parent: _Upper | None, name: str, descriptor: int = -1) -> None:
        self._parent = parent
        self._name = name
        self._descriptor = descriptor

    @property
    def made(self) -> bool:
        return self._descriptor >= 0

    def make(self) -> int:
        """Its descriptor."""
        if self._descriptor < 0:
            assert self._parent is not None
            above = self._parent.make()
            os.mkdir(self._name, 0o700, dir_fd=above)
            self._descriptor = os.open(self._name, ENTER, dir_fd=above)
        return self._descriptor

    def close(self) -> None:
        if self._parent is not None and self._descriptor >= 0:
            os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class _Harvest:
    ownership: Ownership

    def directory(self, source: int, before: Photograph, upper: _Upper) -> None:
        """Take what has changed in one directory; the directory itself too, if anything has, or its attributes."""
        status = os.fstat(source)
        with os.scandir(source) as entries:
            listed = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
        changed = _state(status) != before.state
        for name, found in sorted(listed.items()):
            changed |= self._entry(source, name, found, before, upper)
        for name in sorted({*before.files, *before.directories} - listed.keys()):
            whiteout(upper.make(), name, self.ownership)
            changed = True
        if changed:
            target = upper.make()
            copy_own_attributes(source, target)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _entry(self, source: int, name: str, found: os.stat_result, before: Photograph, upper: _Upper) -> bool:
        """Take one name, if it has changed; whether it has."""
        if not stat.S_ISDIR(found.st_mode):
            if before.files.get(name) == _state(found):
                return False
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=upper.make())
            return True
        was = before.directories.get(name)
        if was is None or was.state[0] != found.st_ino:
            target = upper.make()
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            if was is not None:
                self._opaque(target, name)
            return True
        inner, below = os.open(name, ENTER, dir_fd=source), _Upper(upper, name)
        try:
            self.directory(inner, was, below)
            return below.made
        finally:
            below.close()
            os.close(inner)

    def _opaque(self, parent: int, name: str) -> None:
        """Hide what the layers below have in a directory that was removed and made again."""
        descriptor = os.open(name, ENTER, dir_fd=parent)
        try:
            times = os.fstat(descriptor)
            mark(descriptor, "opaque", b"y", self.ownership)
            os.utime(descriptor, ns=(times.st_atime_ns, times.st_mtime_ns))
        finally:
            os.close(descriptor)
