"""A streaming tar reader: ustar, pax, GNU long names and sparse files, from the front to the end, once.

Iterating gives one `Header` per file-system object; while it is the current one, `write_to` takes its data. Headers
that only describe the next entry never come out. Raises ImageError for whatever is damaged or beyond the limits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from composer.errors import ImageError
from composer.image import sparse
from composer.image.header import BLOCK, Header, Kind, apply_pax, parse_header, parse_pax, printable
from composer.image.stream import Limits

_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK, _GNU_VOLUME = b"x", b"X", b"g", b"L", b"K", b"V"
_CHUNK = 512 * 1024
_DESCRIBING = (_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK)


class Bytes(Protocol):
    """Where an archive comes from; each method raises ImageError where it ends too early."""

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""

    def copy_to(self, descriptor: int, size: int) -> None:
        """Write `size` bytes to a file."""

    def at_end(self) -> bool:
        """Whether nothing is left."""


class TarReader:
    """The entries of the archive in `stream`."""

    def __init__(self, stream: Bytes, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._global: dict[bytes, bytes] = {}
        self._left = 0
        self._sparse: sparse.Sparse | None = None
        self._padding = 0

    def __iter__(self) -> Iterator[Header]:
        local: dict[bytes, bytes] = {}
        count = 0
        while (block := self._next_block()) is not None and (header := parse_header(block)) is not None:
            if (count := count + 1) > self._limits.entries:
                raise ImageError(f"cannot unpack the layer: it has more than {self._limits.entries} entries")
            if header.flag in _DESCRIBING:
                self._describe(header, local)
            elif header.flag == _GNU_VOLUME:
                self._stream.skip(_padded(header.size))
            else:
                if self._global or local:
                    apply_pax(header, self._global | local)
                self._begin(header, block, local)
                local = {}
                yield header

    @property
    def size(self) -> int:
        """Bytes of the file that the current entry makes."""
        return self._sparse.size if self._sparse else self._left

    def data(self) -> Iterator[tuple[int, bytes]]:
        """The current entry's data, each part with its place in the file; between them are holes. To be read to its end."""
        for start, size in self._sparse.segments if self._sparse else ((0, self._left),):
            for offset in range(start, start + size, _CHUNK):
                data = self._stream.read(min(_CHUNK, start + size - offset))
                self._left -= len(data)
                yield offset, data

    def write_to(self, descriptor: int) -> None:
        """Write the current entry's data to an empty file, holes as holes."""
        if self._sparse is None:
            self._stream.copy_to(descriptor, self._left)
        else:
            for offset, size in self._sparse.segments:
                os.lseek(descriptor, offset, os.SEEK_SET)
                self._stream.copy_to(descriptor, size)
            os.ftruncate(descriptor, self._sparse.size)
        self._left = 0

    def _next_block(self) -> bytes | None:
        self._stream.skip(self._left + self._padding)
        self._left = self._padding = 0
        # An archive should end with two blocks of zeros; many end without, and that is no damage.
        return None if self._stream.at_end() else self._stream.read(BLOCK)

    def _begin(self, header: Header, block: bytes, local: dict[bytes, bytes]) -> None:
        if header.kind is not Kind.FILE:
            header.size = 0  # some writers put the size of a link's target here; no data follows
        if header.size < 0:
            raise ImageError(f"cannot unpack `{printable(header.name)}`: its size is negative")
        self._sparse, consumed = None, 0
        read, most = self._stream.read, self._limits.header
        if header.flag == b"S":
            self._sparse = sparse.old_gnu(block, read, most)
        elif local:
            self._sparse = sparse.pax(local, read, most)
            header.name = local.get(b"GNU.sparse.name", header.name)
        if self._sparse:
            self._sparse = sparse.checked(self._sparse, header.size, self._limits.uncompressed)
            consumed = self._sparse.consumed
        self._left = header.size - consumed
        self._padding = -header.size % BLOCK

    def _describe(self, header: Header, local: dict[bytes, bytes]) -> None:
        """Read a header that says something about the next entry (or, if global, about all that follow)."""
        if not 0 <= header.size <= self._limits.header:
            raise ImageError(f"cannot read the layer: a header of {header.size} bytes")
        data = self._stream.read(_padded(header.size))[: header.size]
        match header.flag:
            case b"L":
                local[b"path"] = data.rstrip(b"\0")
            case b"K":
                local[b"linkpath"] = data.rstrip(b"\0")
            case b"g":
                self._parse(data, self._global)
            case _:
                self._parse(data, local)

    def _parse(self, data: bytes, into: dict[bytes, bytes]) -> None:
        """Add pax records to those that came before, which together may be no more than those of one header."""
        parse_pax(data, into)
        size = sum(len(key) + len(value) for key, value in into.items())
        if size > self._limits.header:
            raise ImageError(f"cannot read the layer: headers of {size} bytes for one entry")


def _padded(size: int) -> int:
    return size + -size % BLOCK
