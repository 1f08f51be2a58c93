"""Decompressing readers, chosen by the first bytes: gzip (isal), zstd, xz, bzip2 or none.

Media types are not consulted: they are often wrong, and the magic numbers never are.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import BinaryIO, Protocol, cast

import zstandard
from isal import igzip, isal_zlib

GZIP, ZSTD, XZ, BZIP2, NONE = "gzip", "zstd", "xz", "bzip2", ""

_MAGIC = ((b"\x1f\x8b", GZIP), (b"\x28\xb5\x2f\xfd", ZSTD), (b"\xfd7zXZ\x00", XZ), (b"BZh", BZIP2))
MAGIC_LENGTH = 6

# What the libraries raise for damaged data; `OSError` is gzip's and bzip2's.
DAMAGE: tuple[type[Exception], ...] = (
    EOFError,
    OSError,
    ValueError,
    zlib.error,
    cast("type[Exception]", isal_zlib.error),
    lzma.LZMAError,
    zstandard.ZstdError,
)


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
            reader = igzip.IGzipFile(fileobj=source, mode="rb")  # type: ignore[no-untyped-call]  # not annotated
            return cast("Readable", reader)
        case "zstd":
            # Frames that want more memory than the `zstd` tool allows by default are refused.
            decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
            return decompressor.stream_reader(source, read_across_frames=True)
        case "xz":
            return lzma.LZMAFile(source)
        case "bzip2":
            return bz2.BZ2File(source)
        case _:
            return source
