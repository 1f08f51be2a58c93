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
        yield from _header(b"", top, b"5", b"", _attributes(levels[0].descriptor))
        while levels:
            level = levels[-1]
            if not level.names:
                os.close(levels.pop().descriptor)
                continue
            name = level.names.pop()
            path = level.path + name
            status = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
            if marks and _hides(status, name, level.descriptor, marks):
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
                yield from _header(path, status, b"5", b"", _attributes(child.descriptor))
                if marks and _mark(child.descriptor, marks + "opaque") == b"y":
                    yield _whiteout(path + b"/.wh..wh..opq")
            elif first != path:
                yield from _header(path, status, b"1", first, {})
            elif stat.S_ISREG(status.st_mode):
                yield from _file(path, os.open(name, _FILE, dir_fd=level.descriptor))
            elif flag := _OTHERS.get(stat.S_IFMT(status.st_mode)):
                link = os.readlink(name, dir_fd=level.descriptor) if flag == b"2" else b""
                yield from _header(path, status, flag, link, {})
    finally:
        for level in levels:
            os.close(level.descriptor)


def _hides(status: os.stat_result, name: bytes, parent: int, marks: str) -> bool:
    """Whether this is how overlay says that a name of the layers below is gone."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        return False
    descriptor = os.open(name, _FILE, dir_fd=parent)
    try:
        return _mark(descriptor, marks + "whiteout") is not None
    finally:
        os.close(descriptor)


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
    return b"".join(_header(path, nothing, b"0", b"", {}))


class _Level:
    """A directory on the way down: what is left of its names, the next one last."""

    def __init__(self, descriptor: int, path: bytes, look_inside: bool = True) -> None:
        self.descriptor = descriptor
        self.path = path
        names = [os.fsencode(name) for name in os.listdir(descriptor)] if look_inside else []
        self.names = sorted(names, reverse=True)


def _file(path: bytes, descriptor: int) -> Iterator[bytes]:
    try:
        status = os.fstat(descriptor)
        yield from _header(path, status, b"0", b"", _attributes(descriptor))
        left = status.st_size
        while left:
            data = os.read(descriptor, min(left, _CHUNK))
            if not data:
                raise OSError(errno.ESTALE, "a file shrank while it was read", os.fsdecode(path))
            left -= len(data)
            yield data
    finally:
        os.close(descriptor)
    if padding := -status.st_size % BLOCK:
        yield bytes(padding)


def _header(name: bytes, status: os.stat_result, flag: bytes, link: bytes, xattrs: dict[str, bytes]) -> Iterator[bytes]:
    shown = (name or b".") + (b"/" if flag == b"5" else b"")
    size = status.st_size if flag == b"0" else 0
    seconds, fraction = divmod(status.st_mtime_ns, 1_000_000_000)
    records: dict[bytes, bytes] = {}
    if len(shown) > 100 or not shown.isascii():
        records[b"path"] = shown
    if link and (len(link) > 100 or not link.isascii()):
        records[b"linkpath"] = link
    if size >= 1 << 33:
        records[b"size"] = b"%d" % size
    if status.st_uid >= 1 << 21:
        records[b"uid"] = b"%d" % status.st_uid
    if status.st_gid >= 1 << 21:
        records[b"gid"] = b"%d" % status.st_gid
    if fraction or not 0 <= seconds < 1 << 33:
        records[b"mtime"] = _time(status.st_mtime_ns)
    if xattrs:
        records |= {b"SCHILY.xattr." + os.fsencode(key): value for key, value in xattrs.items()}
    device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if flag in b"34" else (0, 0)
    block = _block(
        shown,
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        size,
        max(seconds, 0),
        flag,
        link,
        device,
    )
    if not records:
        yield block
        return
    body = b"".join([_record(key, records[key]) for key in sorted(records)])
    pax = _block(b"PaxHeaders/" + shown.rstrip(b"/")[-80:], 0o644, 0, 0, len(body), 0, b"x", b"", (0, 0))
    yield b"".join((pax, body, bytes(-len(body) % BLOCK), block))


_SPACES = b" " * 8
_MAGIC = b"ustar\x0000" + bytes(64)
_NO_DEVICE = b"0000000\x000000000\x00"
_END = bytes(167)
_CONSTANT = sum(_SPACES) + sum(_MAGIC)


def _block(
    name: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, flag: bytes, link: bytes, device: tuple[int, int]
) -> bytes:
    """A header block; numbers that do not fit are zero, a pax record says them."""
    name, link = name[:100], link[:100]
    numbers = b"%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00" % (
        mode,
        uid if uid < 1 << 21 else 0,
        gid if gid < 1 << 21 else 0,
        size if size < 1 << 33 else 0,
        mtime if mtime < 1 << 33 else 0,
    )
    nodes = b"%07o\x00%07o\x00" % device if device != (0, 0) else _NO_DEVICE
    # Only what is not zero is added up: that is a quarter of the block.
    checksum = sum(name) + sum(numbers) + sum(link) + sum(nodes) + flag[0] + _CONSTANT
    return b"".join(
        (
            name,
            bytes(100 - len(name)),
            numbers,
            b"%06o\x00 " % checksum,
            flag,
            link,
            bytes(100 - len(link)),
            _MAGIC,
            nodes,
            _END,
        )
    )


def _record(key: bytes, value: bytes) -> bytes:
    """`<length> <key>=<value>\\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _time(nanoseconds: int) -> bytes:
    sign = b"-" if nanoseconds < 0 else b""
    seconds, fraction = divmod(abs(nanoseconds), 1_000_000_000)
    return sign + (b"%d.%09d" % (seconds, fraction)).rstrip(b"0").rstrip(b".")


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
