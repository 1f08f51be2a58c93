"""An archive's entries into the root file system that is written to, as `tar x` would, but for what is hostile.

As Docker unpacks for ADD: an entry replaces what is there under its name, except that directories merge; owners, modes and
times are the archive's. Names that lead out are refused, links on the way are followed as if the destination were the root;
hardlinks lead to files of the archive only; devices and FIFOs are passed over. Names of whiteouts are plain names.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections import deque
from collections.abc import Callable
from types import TracebackType

from composer.build.files.failures import FilesError, Reason, shown, while_writing
from composer.build.files.hashing import belongs
from composer.build.files.owner import Owner
from composer.build.files.target import Place, Target, read_link
from composer.errors import ImageError
from composer.image.compression import Readable
from composer.image.header import Header, Kind
from composer.image.layer import DEFAULT_LIMITS
from composer.image.reader import TarReader
from composer.image.removal import delete_entry
from composer.image.stream import LayerStream, Limits

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40
_TIMES = 1 << 34
"""Seconds around the epoch that every file system takes."""


def unpack(
    source: Readable,
    target: Target,
    to: str,
    *,
    owner: Owner | None = None,
    check: Callable[[], None] = lambda: None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Unpack the archive in `source` into the directory `to`, a path without links, made if missing.

    Everything belongs to `owner` if given. Raises FilesError for a damaged or hostile archive and for the disk.
    """
    name = b""
    try:
        stream = LayerStream(source, limits)
        reader = TarReader(stream, limits)
        with _Unpacker(target, to, owner) as unpacker:
            for header in reader:
                check()
                name = header.name
                unpacker.entry(header, reader)
        stream.finish()
    except ImageError as error:
        raise FilesError(Reason.ARCHIVE, error.message) from error
    except OSError as error:
        raise while_writing(os.fsdecode(name) or to, error) from error


class _Unpacker:
    def __init__(self, target: Target, to: str, owner: Owner | None) -> None:
        self._target = target
        self._owner = owner
        self._outer = [target.open()]
        self._inner: list[tuple[str, Place]] = []
        """Directories of the archive that are open, one below the other."""
        try:
            for name in to.split("/") if to else ():
                self._outer.append(target.enter(self._outer[-1], name)[0])
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> _Unpacker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave(0)
        while self._outer:
            self._target.leave(self._outer.pop())

    def entry(self, header: Header, reader: TarReader) -> None:
        """Make what an entry says."""
        parts = _parts(header.name)
        if header.kind in (Kind.CHARACTER, Kind.BLOCK, Kind.FIFO):
            return
        if header.kind is Kind.DIRECTORY:
            place = self._directory(parts)
            if parts:
                self._dress(place.fd, header)
                place.mtime = _time(header)
            return
        if not parts:
            raise ImageError("cannot unpack the archive: its root is not a directory")
        if header.kind is Kind.HARDLINK and _parts(header.link) == parts:
            return
        place, name = self._enter(parts[:-1]), parts[-1]
        if place.above(name) is not None:
            delete_entry(os.fsencode(name), place.fd)
        if header.kind is Kind.HARDLINK:
            self._hardlink(parts, header)
        else:
            self._make(place, name, header, reader)

    def _make(self, place: Place, name: str, header: Header, reader: TarReader) -> None:
        if header.kind is Kind.FILE:
            descriptor = os.open(name, _NEW, 0o600, dir_fd=place.fd)
            try:
                if header.size:
                    reader.write_to(descriptor)
                self._dress(descriptor, header)
                time = self._target.time(_time(header))
                os.utime(descriptor, ns=(time, time))
            finally:
                os.close(descriptor)
        else:
            if not header.link or b"\0" in header.link:
                raise _hostile(header, "a link to nothing")
            os.symlink(os.fsdecode(header.link), name, dir_fd=place.fd)
            self._own(place, name, header)

    def _hardlink(self, parts: list[str], header: Header) -> None:
        *above, original = _parts(header.link) or [""]
        place = self._enter(above)
        status = place.above(original) if original else None
        if status is None or stat.S_ISDIR(status.st_mode):
            raise _hostile(
                header, f"a hardlink to `{shown(os.fsdecode(header.link))}`, which is no file of the archive"
            )
        source = os.dup(place.fd)
        try:
            os.link(
                original,
                parts[-1],
                src_dir_fd=source,
                dst_dir_fd=self._enter(parts[:-1]).fd,
                follow_symlinks=False,
            )
        finally:
            os.close(source)

    def _own(self, place: Place, name: str, header: Header) -> None:
        owner = self._target.allowed(*self._owners(header))
        os.chown(name, *owner, dir_fd=place.fd, follow_symlinks=False)
        time = self._target.time(_time(header))
        os.utime(name, ns=(time, time), dir_fd=place.fd, follow_symlinks=False)

    def _dress(self, descriptor: int, header: Header) -> None:
        attributes = tuple((name, value) for name, value in sorted(header.xattrs.items()) if belongs(name))
        self._target.dress(descriptor, header.mode, *self._owners(header), attributes)

    def _owners(self, header: Header) -> tuple[int, int]:
        return (self._owner.uid, self._owner.gid) if self._owner else (header.uid, header.gid)

    def _directory(self, parts: list[str]) -> Place:
        """The directory that an entry is about: made, or in the place of something else."""
        if not parts:
            return self._enter([])
        place, name = self._enter(parts[:-1]), parts[-1]
        mode = place.kind(name)
        if mode and not stat.S_ISDIR(mode):
            inside = self._target.replace(place, name)
        else:
            inside, _ = self._target.enter(place, name)
        self._inner.append((name, inside))
        return inside

    def _enter(self, parts: list[str]) -> Place:
        """The directory of these names below the destination, links followed, made where missing."""
        same = 0
        for part, (name, _) in zip(parts, self._inner, strict=False):
            if part != name:
                break
            same += 1
        self._leave(same)
        pending, links = deque(parts[same:]), 0
        while pending:
            name = pending.popleft()
            place = self._inner[-1][1] if self._inner else self._outer[-1]
            if name == "..":
                self._leave(max(len(self._inner) - 1, 0))
            elif name in ("", "."):
                continue
            elif not stat.S_ISLNK(place.kind(name)):
                self._inner.append((name, self._target.enter(place, name)[0]))
            elif (links := links + 1) > _MAX_LINKS:
                raise ImageError(f"cannot unpack `{shown('/'.join(parts))}`: too many symbolic links")
            else:
                link = read_link(place, name)
                if link.startswith("/"):
                    self._leave(0)
                pending.extendleft(reversed(link.split("/")))
        return self._inner[-1][1] if self._inner else self._outer[-1]

    def _leave(self, depth: int) -> None:
        while len(self._inner) > depth:
            self._target.leave(self._inner.pop()[1])


def _parts(name: bytes) -> list[str]:
    """The components of a name. Raises ImageError for one that leads out."""
    if b"\0" in name:
        raise ImageError(f"cannot unpack `{shown(os.fsdecode(name))}`: the name is not allowed")
    normal = posixpath.normpath(os.fsdecode(name).lstrip("/") or ".")
    if normal.startswith(".."):
        raise ImageError(f"cannot unpack `{shown(os.fsdecode(name))}`: the name leads out of the archive")
    return [part for part in normal.split("/") if part != "."]


def _time(header: Header) -> int:
    limit = _TIMES * 1_000_000_000
    return min(max(header.mtime, -limit), limit)


def _hostile(header: Header, what: str) -> ImageError:
    return ImageError(f"cannot unpack `{shown(os.fsdecode(header.name))}`: {what}")
