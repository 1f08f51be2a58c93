"""A directory tree that is entered by descriptors only, so that no name in it can lead out of it.

Every step opens one component relative to the directory above with `O_NOFOLLOW` (`openat(2)`). A symlink on the way is
followed by hand, as if the tree were the whole file system: absolute targets begin at its root, and `..` stops there.
Names are bytes: a file system knows no encoding.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from types import TracebackType

from composer.errors import ImageError
from composer.image.header import printable

Parts = tuple[bytes, ...]

_ENTER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40


def split(name: bytes) -> Parts:
    """The components of a name from an archive. Raises ImageError for `..` and NUL; a leading `/` means the root."""
    parts = tuple([part for part in name.split(b"/") if part and part != b"."])
    if b".." in parts or b"\0" in name:
        raise ImageError(f"cannot unpack `{printable(name)}`: the name is not allowed in an image")
    return parts


class Tree:
    """The tree at `root`, a directory that exists; the directories last entered stay open, archives being in order."""

    def __init__(self, root: Path, depth: int) -> None:
        self._depth = depth
        self._open: list[tuple[bytes, int]] = []
        self._entered: Parts = ()
        self._root = os.open(root, _ENTER)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.forget()
        os.close(self._root)

    def forget(self) -> None:
        """Close what is kept open; to be called when a directory was removed or replaced."""
        self._entered = ()
        while self._open:
            os.close(self._open.pop()[1])

    def enter(self, parts: Parts, create: bool = True) -> int:
        """A descriptor of the directory `parts`, ours until the next call; made with its parents if missing.

        Raises ImageError where something else than a directory is in the way, FileNotFoundError without `create`.
        """
        if parts == self._entered:  # most files follow one of the same directory
            return self._open[-1][1] if self._open else self._root
        if len(parts) > self._depth:
            raise ImageError(f"cannot unpack `{_shown(parts)[:80]}…`: more than {self._depth} directories deep")
        self._entered, same = (), 0
        for (name, _), part in zip(self._open, parts, strict=False):
            if name != part:
                break
            same += 1
        while len(self._open) > same:
            os.close(self._open.pop()[1])
        for index in range(same, len(parts)):
            parent = self._open[-1][1] if self._open else self._root
            self._open.append((parts[index], self._step(parent, parts[: index + 1], create)))
        self._entered = parts
        return self._open[-1][1] if self._open else self._root

    def _step(self, parent: int, parts: Parts, create: bool) -> int:
        try:
            return _open_or_make(parts[-1], parent, create)
        except NotADirectoryError:
            return self._resolve(parts, create)

    def _resolve(self, parts: Parts, create: bool) -> int:
        """A new descriptor of the directory `parts`, symlinks followed inside the tree."""
        trail = [os.dup(self._root)]
        pending, links = deque(parts), 0
        try:
            while pending:
                name = pending.popleft()
                if name == b"..":
                    if len(trail) > 1:
                        os.close(trail.pop())
                    continue
                if name in (b"", b"."):
                    continue
                if len(trail) > self._depth:
                    raise ImageError(f"cannot unpack `{_shown(parts)}`: more than {self._depth} directories deep")
                try:
                    trail.append(_open_or_make(name, trail[-1], create))
                except NotADirectoryError:
                    target = _read_link(name, trail[-1], parts)
                    if (links := links + 1) > _MAX_LINKS:
                        raise ImageError(f"cannot unpack `{_shown(parts)}`: too many symlinks") from None
                    if target.startswith(b"/"):
                        while len(trail) > 1:
                            os.close(trail.pop())
                    pending.extendleft(reversed(target.split(b"/")))
            return trail.pop()
        finally:
            for descriptor in trail:
                os.close(descriptor)


def _open_or_make(name: bytes, parent: int, create: bool) -> int:
    try:
        return os.open(name, _ENTER, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
        os.mkdir(name, 0o755, dir_fd=parent)
        return os.open(name, _ENTER, dir_fd=parent)


def _read_link(name: bytes, parent: int, parts: Parts) -> bytes:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        raise ImageError(f"cannot unpack `{_shown(parts)}`: `{printable(name)}` is not a directory") from None


def _shown(parts: Parts) -> str:
    return printable(b"/".join(parts))
