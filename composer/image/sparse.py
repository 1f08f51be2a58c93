"""Sparse files in tar archives: which parts of a file the archive holds; the rest are holes.

GNU tar's manual, "Storing Sparse Files": the old format (type `S`) and the pax formats 0.1 and 1.0.
<https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from composer.errors import ImageError
from composer.image.header import BLOCK, number

Read = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Sparse:
    """The layout of one sparse file; `consumed` bytes of the entry's data were the map itself."""

    segments: tuple[tuple[int, int], ...]
    """(offset, size), in order, without overlap."""
    size: int
    consumed: int = 0


def old_gnu(block: bytes, read: Read, most: int) -> Sparse:
    """The map in and behind a header of type `S`; extension blocks do not count as data."""
    segments = _pairs(block[386:482])
    extended = block[482]
    while extended:
        if len(segments) * 24 > most:
            raise _damaged("its map is too long")
        block_ = read(BLOCK)
        segments += _pairs(block_[:504])
        extended = block_[504]
    return Sparse(tuple(segments), number(block[483:495]))


def pax(records: dict[bytes, bytes], read: Read, most: int) -> Sparse | None:
    """The map that pax records announce, or None for an ordinary file. Raises ImageError for format 0.0."""
    if records.get(b"GNU.sparse.major") == b"1":
        values, consumed = _map_in_data(read, most)
        return Sparse(_paired(values), _integer(records.get(b"GNU.sparse.realsize", b"")), consumed)
    if b"GNU.sparse.map" in records:
        values = [_integer(value) for value in records[b"GNU.sparse.map"].split(b",") if value]
        return Sparse(_paired(values), _integer(records.get(b"GNU.sparse.size", b"")))
    if any(key.startswith(b"GNU.sparse.") for key in records):
        raise _damaged("its format is not understood; pack it without `--sparse`")
    return None


def checked(sparse: Sparse, stored: int, most: int) -> Sparse:
    """`sparse`, if it fits the `stored` bytes of data and is no larger than `most`. Raises ImageError."""
    end = 0
    for offset, size in sparse.segments:
        if offset < end or size < 0:
            raise _damaged("its parts overlap")
        end = offset + size
    if end > sparse.size or sparse.size > most or sum(size for _, size in sparse.segments) + sparse.consumed != stored:
        raise _damaged("its map does not fit its size")
    return sparse


def _map_in_data(read: Read, most: int) -> tuple[list[int], int]:
    """Format 1.0: the count, then offset and size of every part, a decimal a line, padded to whole blocks."""
    data = b""
    while True:
        if len(data) > most:
            raise _damaged("its map is too long")
        data += read(BLOCK)
        lines = data.split(b"\n")
        if len(lines) > 1 and len(lines) > 1 + 2 * (count := _integer(lines[0])):
            return [_integer(line) for line in lines[1 : 1 + 2 * count]], len(data)


def _pairs(data: bytes) -> list[tuple[int, int]]:
    entries = [data[start : start + 24] for start in range(0, len(data), 24)]
    return [(number(entry[:12]), number(entry[12:])) for entry in entries if entry[0]]


def _paired(values: Iterable[int]) -> tuple[tuple[int, int], ...]:
    numbers = list(values)
    if len(numbers) % 2:
        raise _damaged("its map is damaged")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _integer(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise _damaged("its map is damaged")
    return int(text)


def _damaged(why: str) -> ImageError:
    return ImageError(f"cannot unpack a sparse file: {why}")
