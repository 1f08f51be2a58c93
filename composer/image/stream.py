"""The bytes of one layer on their way from an archive to the disk, counted and hashed on both sides of decompression.

OCI knows a layer by two digests: that of the blob as it is transferred, and the DiffID, that of the uncompressed tar.
One pass over the data yields both, keeps a copy of the blob where one is wanted, and enforces the limits: whoever
reads a `LayerStream` never sees more bytes than were allowed, however small the blob was.
"""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from typing import BinaryIO

from composer.errors import ImageError
from composer.image import compression
from composer.image.compression import DAMAGE, Readable
from composer.oci.digest import Digest

_CHUNK = 512 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a layer may demand of us at most; far above any real one, far below what would hurt."""

    uncompressed: int = 256 * 2**30
    entries: int = 4_000_000
    header: int = 1 << 20
    """One pax header, long name or sparse map; all that pax headers say of one entry, or of all."""
    kept: int = 512 * 2**20
    """What has to be remembered until a layer is complete: its directories and whiteouts."""
    depth: int = 256
    """Directories above a file; each is a descriptor while it is being filled."""


@dataclass(frozen=True, slots=True)
class Content:
    """What went through a stream."""

    digest: Digest
    size: int
    diff_id: Digest
    uncompressed: int


class LayerStream:
    """Reads a layer once, from the front; `finish` says what it was."""

    def __init__(self, source: Readable, limits: Limits, copy: BinaryIO | None = None, keep: bool = True) -> None:
        """`copy` gets the blob; with `keep` off, or a compression OCI has no name for, the uncompressed tar."""
        self._blob = _Blob(source)
        kind = self._blob.compression
        blob_is_kept = keep and kind in (compression.NONE, compression.GZIP, compression.ZSTD)
        self.compression = kind if blob_is_kept else compression.NONE
        self._blob.copy = copy if blob_is_kept and kind else None
        self._copy = None if self._blob.copy else copy
        self._reader = compression.decompressed(io.BufferedReader(self._blob, _CHUNK), kind) if kind else self._blob
        self._limits = limits
        self._hash = hashlib.sha256()
        self._size = 0
        self._chunk = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises ImageError where the stream ends before."""
        end = self._position + size
        if end <= len(self._chunk):
            data = self._chunk[self._position : end]
            self._position = end
            return data
        parts = [self._chunk[self._position :]]
        missing = size - len(parts[0])
        while missing:
            if not self._fill():
                raise ImageError("cannot read the layer: the archive is truncated")
            parts.append(self._chunk[:missing])
            missing -= len(parts[-1])
            self._position = len(parts[-1])
        return b"".join(parts)

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._position == len(self._chunk) and not self._fill()

    def copy_to(self, descriptor: int, size: int) -> None:
        """Write the next `size` bytes to a file. Raises ImageError where the stream ends before."""
        while size:
            if self._position == len(self._chunk) and not self._fill():
                raise ImageError("cannot read the layer: the archive is truncated")
            part = memoryview(self._chunk)[self._position : self._position + size]
            written = os.write(descriptor, part)
            self._position += written
            size -= written

    def skip(self, size: int) -> None:
        """Pass over `size` bytes. Raises ImageError where the stream ends before."""
        while size:
            if self._position == len(self._chunk) and not self._fill():
                raise ImageError("cannot read the layer: the archive is truncated")
            step = min(size, len(self._chunk) - self._position)
            self._position += step
            size -= step

    def finish(self) -> Content:
        """Read what is left and return what everything was. Padding behind the archive belongs to the digests."""
        while self._fill():
            pass
        self._blob.drain()
        diff_id = Digest("sha256", self._hash.hexdigest())
        if not self._blob.compression or self.compression != self._blob.compression:
            return Content(diff_id, self._size, diff_id, self._size)
        return Content(self._blob.digest(), self._blob.size, diff_id, self._size)

    def _fill(self) -> bool:
        try:
            self._chunk = self._reader.read(_CHUNK)
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno:
                raise  # reading the file failed, its content is not to blame
            raise ImageError(f"cannot decompress the layer: {error}") from error
        self._position = 0
        self._size += len(self._chunk)
        if self._size > self._limits.uncompressed:
            raise ImageError(f"cannot unpack the layer: it is larger than {self._limits.uncompressed} bytes")
        self._hash.update(self._chunk)
        if self._copy:
            self._copy.write(self._chunk)
        return bool(self._chunk)


class _Blob(io.RawIOBase):
    """The compressed side: passes bytes on, hashes and copies them where there is a difference to the other side."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._head = b""
        while len(self._head) < compression.MAGIC_LENGTH and (more := source.read(compression.MAGIC_LENGTH)):
            self._head += more
        self.compression = compression.detect(self._head)
        self.copy: BinaryIO | None = None
        self.size = 0
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data, self._head = (self._head, b"") if self._head else (self._source.read(size), b"")
        if self.compression:
            self.size += len(data)
            self._hash.update(data)
            if self.copy:
                self.copy.write(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io.BufferedReader passes a memoryview
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True

    def drain(self) -> None:
        while self.read(_CHUNK):
            pass

    def digest(self) -> Digest:
        return Digest("sha256", self._hash.hexdigest())
