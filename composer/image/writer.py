"""A directory tree as a tar archive, always the same bytes for the same tree.

Entries are sorted, owners are numbers, and what ustar cannot say (long names, large numbers, fractions of seconds,
extended attributes) stands in pax headers, as umoci and BuildKit write them. What lies on other file systems, a
`/proc` left mounted for instance, stays out; sockets have no meaning in an archive and stay out, too.

A tree that overlay wrote, or that was unpacked for overlay, carries marks of what it hides: they become the whiteouts of the
OCI image specification again (layer.md, and overlayfs.rst for the marks).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from composer.image.header import BLOCK
from composer.image.layer import DEFAULT_LIMITS
from composer.image.ustar import header_of

_CHUNK = 512 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MARKS = "user.overlay."
_OTHERS = {stat.S_IFLNK: b"2", stat.S_IFCHR: b"3", stat.S_IFBLK: b"4", stat.S_IFIFO: b"6"}


class TreeArchive:
    """Reads as the archive of the tree at `root`. Raises OSError for what cannot be read or changes while it is."""

    def __init__(self, root: Path, marks: str = "") -> None:
        """`marks` begins the names of overlay's attributes (`Ownership.overlay_attributes`); empty for a plain tree."""
        self._chunks = _archive(root, marks)

    def read(self, size: int, /) -> bytes:
        """The next part of the archive, of whatever length suits it; empty at the end."""
        return next(self._chunks, b"")


def _archive(root: Path, marks: str) -> Iterator[bytes]:
    """Small entries are gathered, so that whoever hashes and parses gets large pieces."""
    pending: list[bytes] = []
    size = 0
    for piece in _pieces(root.resolve(), marks):
        pending.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(pending)
            pending, size = [], 0
    yield b"".join([*pending, bytes(2 * BLOCK)])


def _pieces(root: Path, marks: str) -> Iterator[bytes]:
    """Headers and contents in order, by way of descriptors: nobody can put a symlink in the way of the next step."""
    links: dict[tuple[int, int], bytes] = {}
    levels = [_Level(os.open(root, _DIRECTORY), b"")]
    try:
        top = os.fstat(levels[0].descriptor)
        yield header_of(b"", top, b"5", b"", _attributes(levels[0].descriptor))
        while levels:
            level = levels[-1]
            if not level.names:
                os.close(levels.pop().descriptor)
                continue
            name, is_file = level.names.pop()
            path = level.path + name
            if is_file:
                yield from _file(path, name, level.descriptor, links, marks)
                continue
            status = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
            if marks and stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                yield _whiteout(level.path + b".wh." + name)
                continue
            first = links.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
            if stat.S_ISDIR(status.st_mode):
                if len(levels) > DEFAULT_LIMITS.depth:
                    raise OSError(errno.ELOOP, "directories are nested too deep", os.fsdecode(path))
                child = _Level(
                    os.open(name, _DIRECTORY, dir_fd=level.descriptor), path + b"/", status.st_dev == top.st_dev
                )
                levels.append(child)
                yield header_of(path, status, b"5", b"", _attributes(child.descriptor))
                if marks and _mark(child.descriptor, marks + "opaque") == b"y":
                    yield _whiteout(path + b"/.wh..wh..opq")
            elif first != path:
                yield header_of(path, status, b"1", first, {})
            elif flag := _OTHERS.get(stat.S_IFMT(status.st_mode)):
                link = os.readlink(name, dir_fd=level.descriptor) if flag == b"2" else b""
                yield header_of(path, status, flag, link, {})
    finally:
        for level in levels:
            os.close(level.descriptor)


def _mark(descriptor: int, name: str) -> bytes | None:
    try:
        return os.getxattr(descriptor, name)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP, errno.EPERM):
            return None
        raise


def _whiteout(path: bytes) -> bytes:
    """Nobody's file without a time: when and by whom something was deleted is no part of the layer."""
    nothing = os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, 0, 0, 0, 0), {"st_mtime_ns": 0, "st_rdev": 0})
    return header_of(path, nothing, b"0", b"", {})


class _Level:
    """A directory on the way down: what is left of its names, the next one last, and which of them are regular files."""

    def __init__(self, descriptor: int, path: bytes, look_inside: bool = True) -> None:
        self.descriptor = descriptor
        self.path = path
        self.names: list[tuple[bytes, bool]] = []
        if look_inside:
            with os.scandir(descriptor) as entries:
                self.names = [(os.fsencode(entry.name), entry.is_file(follow_symlinks=False)) for entry in entries]
            self.names.sort(reverse=True)


def _file(path: bytes, name: bytes, parent: int, links: dict[tuple[int, int], bytes], marks: str) -> Iterator[bytes]:
    """A regular file, or another name of one that was there before, or a mark that is one."""
    descriptor = os.open(name, _FILE, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        size = status.st_size
        if marks and not size and _mark(descriptor, marks + "whiteout") is not None:
            yield _whiteout(path[: len(path) - len(name)] + b".wh." + name)
            return
        first = links.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
        if first != path:
            yield header_of(path, status, b"1", first, {})
            return
        header = header_of(path, status, b"0", b"", _attributes(descriptor))
        if size <= _CHUNK and len(data := os.read(descriptor, size) if size else b"") == size:
            yield header + data + bytes(-size % BLOCK)
            return
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield header
        while size:
            data = os.read(descriptor, min(size, _CHUNK))
            if not data:
                raise OSError(errno.ESTALE, "a file shrank while it was read", os.fsdecode(path))
            size -= len(data)
            yield data
    finally:
        os.close(descriptor)
    if padding := -status.st_size % BLOCK:
        yield bytes(padding)


def _attributes(descriptor: int) -> dict[str, bytes]:
    try:
        names = os.listxattr(descriptor)
        wanted = [name for name in names if _belongs(name)]
        return {name: os.getxattr(descriptor, name) for name in wanted}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA, errno.EPERM):
            return {}
        raise


def _belongs(attribute: str) -> bool:
    """Whether it means something inside a container; overlay's marks are told as whiteouts."""
    return attribute == "security.capability" or (attribute.startswith("user.") and not attribute.startswith(_MARKS))
