"""Where a saved image is read from: a directory, or a tar archive in any compression, by the names of its files.

An archive is scanned once, then its files are read in place; a compressed one is decompressed to a temporary file
first, since the list of what is in it often comes last. Names are looked up, never opened as paths.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol, cast

from composer.errors import ImageError
from composer.image import compression
from composer.image.header import Kind
from composer.image.layer import DEFAULT_LIMITS
from composer.image.reader import TarReader
from composer.oci.fields import MAX_DOCUMENT

_CHUNK = 1 << 20
_MAX_LINKS = 8


class Archive(Protocol):
    """The files of a saved image."""

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def open(self, name: str) -> BinaryIO:
        """The file's content, to be closed by the caller. Raises ImageError where there is none."""


def document(archive: Archive, name: str) -> bytes:
    """The whole of a small file. Raises ImageError where it is missing or large."""
    with archive.open(name) as file:
        data = file.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise ImageError(f"cannot read `{name}`: it has more than {MAX_DOCUMENT} bytes")
    return data


@contextmanager
def open_archive(path: Path, temporary: Path) -> Iterator[Archive]:
    """The archive at `path`; what must be decompressed goes to a file without a name in `temporary`."""
    if path.is_dir():
        yield _Directory(path)
        return
    with path.open("rb") as file:
        kind = compression.detect(file.read(compression.MAGIC_LENGTH))
        file.seek(0)
        if not kind:
            yield _Tar(file)
            return
        with TemporaryFile(dir=temporary) as plain:
            _decompress(compression.decompressed(file, kind), plain)
            yield _Tar(plain)


def _decompress(source: compression.Readable, target: BinaryIO) -> None:
    size = 0
    try:
        while data := source.read(_CHUNK):
            if (size := size + len(data)) > DEFAULT_LIMITS.uncompressed:
                raise ImageError(f"cannot read the archive: it is larger than {DEFAULT_LIMITS.uncompressed} bytes")
            target.write(data)
    except compression.DAMAGE as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ImageError(f"cannot decompress the archive: {error}") from error
    target.flush()


class _Directory:
    def __init__(self, root: Path) -> None:
        self._root = root

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def open(self, name: str) -> BinaryIO:
        try:
            return self._path(name).open("rb")
        except FileNotFoundError:
            raise _absent(name) from None

    def _path(self, name: str) -> Path:
        # A manifest.json may name anything; what is not below the directory is not part of the image.
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise _absent(name)
        return path


class _Tar:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        stream = _Seeking(file)
        for header in TarReader(stream, DEFAULT_LIMITS):
            name = _normal(header.name.decode(errors="surrogateescape"))
            link = header.link.decode(errors="surrogateescape")
            if header.kind is Kind.FILE:
                self._files[name] = (stream.position, header.size)
            elif header.kind is Kind.SYMLINK:  # old versions of Docker wrote shared layers once
                self._links[name] = _normal(str(PurePosixPath(name).parent / link))
            elif header.kind is Kind.HARDLINK:
                self._links[name] = _normal(link)

    def has(self, name: str) -> bool:
        return self._find(name) is not None

    def open(self, name: str) -> BinaryIO:
        found = self._find(name)
        if found is None:
            raise _absent(name)
        return cast("BinaryIO", io.BufferedReader(_Window(self._file.fileno(), *found), _CHUNK))

    def _find(self, name: str) -> tuple[int, int] | None:
        name = _normal(name)
        for _ in range(_MAX_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return self._files.get(name)


class _Seeking:
    """A file as the tar reader wants it, that jumps over what is not read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self.position = 0

    def read(self, size: int) -> bytes:
        data = os.pread(self._file.fileno(), size, self.position)
        if len(data) != size:
            raise ImageError("cannot read the archive: it is truncated")
        self.position += size
        return data

    def skip(self, size: int) -> None:
        if self.position + size > self._size:
            raise ImageError("cannot read the archive: it is truncated")
        self.position += size

    def at_end(self) -> bool:
        return self.position == self._size

    def copy_to(self, descriptor: int, size: int) -> None:
        os.write(descriptor, self.read(size))


class _Window(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._position = start
        self._end = start + size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io.BufferedReader passes a memoryview
        size = min(len(buffer), self._end - self._position)
        count = os.preadv(self._descriptor, [buffer[:size]], self._position)
        self._position += count
        return count

    def readable(self) -> bool:
        return True


def _normal(name: str) -> str:
    """The name without `.` and `..`; those that would lead out stop at the top."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _absent(name: str) -> ImageError:
    return ImageError(f"cannot read `{name}`: the archive has no such file")
