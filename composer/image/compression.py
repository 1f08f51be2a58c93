"""Decompressing readers, chosen by the first bytes: gzip (isal), zstd, xz, bzip2 or none.

Media types are not consulted: they are often wrong, and the magic numbers never are. The libraries are imported when there is
something to decompress: an engine that pulls nothing does without their megabyte.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import BinaryIO, Protocol, cast

GZIP, ZSTD, XZ, BZIP2, NONE = "gzip", "zstd", "xz", "bzip2", ""

_MAGIC = ((b"\x1f\x8b", GZIP), (b"\x28\xb5\x2f\xfd", ZSTD), (b"\xfd7zXZ\x00", XZ), (b"BZh", BZIP2))
MAGIC_LENGTH = 6

DAMAGE: tuple[type[Exception], ...] = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)
"""What reading damaged data raises; `OSError` is gzip's and bzip2's own, and ours for those of libraries."""


class Readable(Protocol):
    """What can be read from the front to the end, once."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none only at the end."""


def detect(head: bytes) -> str:
    """The compression that content beginning with `head` has."""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), NONE)


def decompressed(source: BinaryIO, kind: str) -> Readable:
    """The content of `source`, several members or frames after each other included. `read` raises one of `DAMAGE`."""
    match kind:
        case "gzip":
            return _Gzip(source)
        case "zstd":
            return _Zstandard(source)
        case "xz":
            return lzma.LZMAFile(source)
        case "bzip2":
            return bz2.BZ2File(source)
        case _:
            return source


class _Gzip:
    def __init__(self, source: BinaryIO) -> None:
        from isal import igzip, isal_zlib

        self._reader = igzip.IGzipFile(fileobj=source, mode="rb")  # type: ignore[no-untyped-call]  # not annotated
        self._error = cast("type[Exception]", isal_zlib.error)

    def read(self, size: int, /) -> bytes:
        try:
            return self._reader.read(size)
        except self._error as error:
            raise OSError(str(error)) from error


class _Zstandard:
    """The library's own reader takes a frame that breaks off for the end of the data; this one does not."""

    # A block of four bytes may stand for 128 KiB, so this is also what bounds the memory a hostile frame can ask for.
    _STEP = 4096

    def __init__(self, source: BinaryIO) -> None:
        import zstandard

        self._source = source
        self._error = zstandard.ZstdError
        # Frames that want more memory than the `zstd` tool allows by default are refused.
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._frame = self._decompressor.decompressobj()
        self._ready = b""
        self._inside = False

    def read(self, size: int, /) -> bytes:
        while not self._ready:
            data = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame, self._inside = self._decompressor.decompressobj(), False
            data = data or self._source.read(self._STEP)
            if not data:
                if self._inside:
                    raise EOFError("the data ends in the middle")
                return b""
            self._inside = True
            try:
                self._ready = self._frame.decompress(data)
            except self._error as error:
                raise OSError(str(error)) from error
        data, self._ready = self._ready[:size], self._ready[size:]
        return data
