"""A container's log on disk: the bytes as they came, and beside them an index that says when and from which stream.

    <log>/output    what the container wrote, stdout and stderr interleaved as they were moved
    <log>/index     one 24-byte record for each piece moved: offset, time in ns, length, stream
    <log>/limit     how many bytes to keep, if not all
    <log>/first     the number of the first record that is kept, if some are not

Records follow each other without holes: each offset is the end of the piece before. A gap record holds in `length` the
number of bytes that were lost on a full disk, and stands where they would have been. The pump writes bytes first and
the record after, so a reader that goes by the index never sees half a piece.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

LIMIT, FIRST = "limit", "first"

_RECORD = struct.Struct("<QQIB3x")
RECORD_SIZE = _RECORD.size
LARGEST_LENGTH = 0xFFFFFFFF
_BLOCK = 4096
"""Records read at a time."""
LONGEST_LINE = 1 << 20
"""A line without end is handed out in pieces of this size, so that a reader's memory is bounded."""


class Stream(IntEnum):
    """Where a piece came from."""

    STDOUT = 1
    STDERR = 2
    TTY = 3
    GAP = 4


@dataclass(frozen=True, slots=True)
class Record:
    """One piece: where it is in `output`, when it was moved, and from which stream."""

    offset: int
    time_ns: int
    length: int
    stream: Stream

    def to_bytes(self) -> bytes:
        return _RECORD.pack(self.offset, self.time_ns, self.length, self.stream)

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """The record in 24 bytes. Raises ValueError for an unknown stream."""
        offset, time_ns, length, stream = _RECORD.unpack(data)
        return cls(offset, time_ns, length, Stream(stream))

    @property
    def end(self) -> int:
        """The offset of what follows."""
        return self.offset if self.stream is Stream.GAP else self.offset + self.length


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line without its end; `time` in seconds is that of its first byte, `stream` stdout, stderr, tty or gap."""

    time: float
    stream: str
    text: bytes


@dataclass(slots=True)
class _Partial:
    """The beginning of a line whose end has not come; `whole` is False where we began to read in its middle."""

    time_ns: int
    text: bytearray
    whole: bool = True


class Follower:
    """Reads a log from some record on; `poll` again whenever the files changed."""

    def __init__(self, directory: Path, first: int | None = None) -> None:
        """From the record numbered `first` on, from the oldest that is kept if that is left out."""
        first = first_record(directory) if first is None else first
        self._directory = directory
        self._first = self._next = first
        self._index = -1
        self._output = -1
        self._partial: dict[Stream, _Partial] = {}
        self._met: set[Stream] = set()
        self._handed_out = 0
        self.cut_after = 0
        """How many lines had been handed out when the last one was left out for want of its beginning."""

    def poll(self) -> Iterator[LogLine]:
        """The lines that were completed since the last time; none if there is no log (yet)."""
        if not self._open():
            return
        for record in _records(self._index, self._next):
            self._next += 1
            if record is None:
                continue  # forgotten while we were reading
            for line in self._lines(record):
                self._handed_out += 1
                yield line

    def finish(self) -> Iterator[LogLine]:
        """The lines whose end never came: when the container is gone."""
        for stream, partial in sorted(self._partial.items(), key=lambda item: item[1].time_ns):
            if partial.text and partial.whole:
                yield LogLine(partial.time_ns / 1e9, stream.name.lower(), bytes(partial.text))
        self._partial.clear()

    def close(self) -> None:
        """Close the files; the follower is not used again."""
        for fd in (self._index, self._output):
            if fd >= 0:
                os.close(fd)
        self._index = self._output = -1

    def _open(self) -> bool:
        try:
            if self._output < 0:
                self._output = os.open(self._directory / "output", os.O_RDONLY)
            if self._index < 0:
                self._index = os.open(self._directory / "index", os.O_RDONLY)
        except FileNotFoundError:
            return False
        return True

    def _lines(self, record: Record) -> Iterator[LogLine]:
        if record.stream is Stream.GAP:
            yield from self.finish()  # what follows is not the rest of these lines
            words = f"{record.length} bytes of output were lost: the disk was full"
            yield LogLine(record.time_ns / 1e9, "gap", words.encode())
            return
        if self._first and record.stream not in self._met and not self._begins_line(record.stream):
            self._partial[record.stream] = _Partial(0, bytearray(), whole=False)
        self._met.add(record.stream)
        for piece in _pieces(self._output, record):
            *ended, rest = piece.split(b"\n")
            for text in ended:
                partial = self._partial.pop(record.stream, None) or _Partial(record.time_ns, bytearray())
                if partial.whole:
                    yield LogLine(partial.time_ns / 1e9, record.stream.name.lower(), bytes(partial.text) + text)
                else:
                    self.cut_after = self._handed_out
            if rest:
                yield from self._keep(record, rest)

    def _keep(self, record: Record, rest: bytes) -> Iterator[LogLine]:
        partial = self._partial.setdefault(record.stream, _Partial(record.time_ns, bytearray()))
        if not partial.whole:
            return
        partial.text += rest
        if len(partial.text) >= LONGEST_LINE:
            del self._partial[record.stream]
            yield LogLine(partial.time_ns / 1e9, record.stream.name.lower(), bytes(partial.text))

    def _begins_line(self, stream: Stream) -> bool:
        """Whether the piece of `stream` before the one we began with ended a line."""
        for record in _records_backwards(self._index, self._first, first_record(self._directory)):
            if record.stream is stream and record.length:
                return os.pread(self._output, 1, record.end - 1) == b"\n"
        return True


def follow(directory: Path, since: float | None = None, tail: int | None = None) -> tuple[Follower, Iterator[LogLine]]:
    """A follower of what comes, and the complete lines there are: those begun at `since` or later, the last `tail`."""
    first = first_record(directory) if since is None else _first_since(directory, since)
    if tail is None:
        follower = Follower(directory, first)
        return follower, follower.poll()
    wanted = tail
    while True:
        start = max(first, _first_of_last(directory, wanted))
        follower = Follower(directory, start)
        lines = list(follower.poll())
        # A line left out must lie before all those asked for: else look further back for its beginning.
        if start == first or (len(lines) >= tail and follower.cut_after <= len(lines) - tail):
            return follower, iter(lines[-tail:] if tail else [])
        follower.close()
        wanted = wanted * 4 + 16


def read(directory: Path, since: float | None = None, tail: int | None = None) -> Iterator[LogLine]:
    """The lines of a log as it is now, a last one without end included; `since` and `tail` as for `follow`.

    With `tail`, a line without end that is older than all those asked for is left out.
    """
    follower, lines = follow(directory, since, tail)
    try:
        if tail is None:
            yield from lines
            yield from follower.finish()
        else:
            yield from deque([*lines, *follower.finish()], maxlen=tail)
    finally:
        follower.close()


def _first_since(directory: Path, since: float) -> int:
    """The first record moved at `since` or later; lines begun before it are older."""
    with _index_of(directory) as index:
        low, high = first_record(directory), _count(index)
        while low < high:
            middle = (low + high) // 2
            if _record_at(index, middle).time_ns < since * 1e9:
                low = middle + 1
            else:
                high = middle
        return low


def _first_of_last(directory: Path, lines: int) -> int:
    """A record from which on at least `lines` line ends follow, or the first of all."""
    with _index_of(directory) as index:
        if index < 0:
            return 0
        number, oldest = _count(index), first_record(directory)
        output = os.open(directory / "output", os.O_RDONLY)
        try:
            for record in _records_backwards(index, number, oldest):
                if lines <= 0:
                    return number
                number -= 1
                lines -= sum(piece.count(b"\n") for piece in _pieces(output, record))
            return oldest
        finally:
            os.close(output)


@contextmanager
def _index_of(directory: Path) -> Iterator[int]:
    """The opened index, -1 if there is none."""
    try:
        index = os.open(directory / "index", os.O_RDONLY)
    except FileNotFoundError:
        yield -1
        return
    try:
        yield index
    finally:
        os.close(index)


def _count(index: int) -> int:
    return os.fstat(index).st_size // RECORD_SIZE if index >= 0 else 0


def _record_at(index: int, number: int) -> Record:
    return Record.from_bytes(os.pread(index, RECORD_SIZE, number * RECORD_SIZE))


def first_record(directory: Path) -> int:
    """The number of the oldest record that is kept."""
    try:
        return int((directory / FIRST).read_text())
    except (OSError, ValueError):
        return 0


def _records(index: int, first: int) -> Iterator[Record | None]:
    """The records from `first` on, None for one that was forgotten; half a record at the end is not there yet."""
    while len(block := os.pread(index, RECORD_SIZE * _BLOCK, first * RECORD_SIZE)) >= RECORD_SIZE:
        complete = len(block) // RECORD_SIZE
        first += complete
        for position in range(complete):
            data = block[position * RECORD_SIZE : (position + 1) * RECORD_SIZE]
            yield Record.from_bytes(data) if any(data) else None


def _records_backwards(index: int, before: int, oldest: int) -> Iterator[Record]:
    """The records before the one numbered `before` down to `oldest`, last first."""
    while before > oldest:
        start = max(oldest, before - _BLOCK)
        block = os.pread(index, RECORD_SIZE * (before - start), start * RECORD_SIZE)
        for position in range(before - start - 1, -1, -1):
            data = block[position * RECORD_SIZE : (position + 1) * RECORD_SIZE]
            if not any(data):
                return
            yield Record.from_bytes(data)
        before = start


def _pieces(output: int, record: Record) -> Iterator[bytes]:
    """The bytes of a record, not too many at a time."""
    position = record.offset
    while position < record.end and (data := os.pread(output, min(LONGEST_LINE, record.end - position), position)):
        position += len(data)
        yield data
