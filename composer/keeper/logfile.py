"""The writing side of a log: `splice(2)` from a FIFO to the output file, and a record for each piece.

`splice` moves bytes or leaves them in the FIFO: whoever kills us in between loses nothing and doubles nothing. What a
kill can cost is the record of the last piece; the next writer finds bytes beyond the last record and indexes them.

A log with a limit forgets its oldest pieces by punching holes: offsets stay what they are, so whoever reads is not
disturbed, and there is no moment at which a line is in two files or in none.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from composer.keeper.logs import FIRST, LARGEST_LENGTH, LIMIT, RECORD_SIZE, Record, Stream, first_record
from composer.kernel.file import punch

_MOST_AT_ONCE = 1 << 16


class LogFile:
    """The log in `directory`, appended to by one process at a time.

    The directory is never made here: it goes with its container, and what comes late must not bring it back.
    """

    def __init__(self, directory: Path) -> None:
        # Not O_APPEND: splice(2) refuses that with EINVAL.
        self._output = os.open(directory / "output", os.O_WRONLY | os.O_CREAT, 0o600)
        self._index = os.open(directory / "index", os.O_RDWR | os.O_CREAT, 0o600)
        self._records = os.fstat(self._index).st_size // RECORD_SIZE  # half a record at the end is overwritten
        self._unwritten = b""
        self._end = self._last_end()
        self._size = os.lseek(self._output, 0, os.SEEK_END)
        self._directory = directory
        self._limit = _number(directory / LIMIT)
        self._first = first_record(directory)
        self._begin = self._record_at(self._first).offset if self._first < self._records else self._end
        if self._size > self._end:
            self._record(time.time_ns(), self._size - self._end, Stream.STDOUT)

    def move(self, fifo: int, stream: Stream, lost: int = 0) -> int:
        """Move what waits in `fifo`; how many bytes that was. Raises BlockingIOError if nothing waits.

        With `lost`, a gap of so many bytes is marked before them.

        Raises OSError (ENOSPC and its kin) if the disk does not take it; the bytes then stay in the FIFO.
        """
        self._write_records()
        moved = os.splice(fifo, self._output, _MOST_AT_ONCE, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        if moved:
            self.mark_gap(lost)
            self._record(time.time_ns(), moved, stream)
            if self._limit and self._end - self._begin > self._limit + max(self._limit // 8, _MOST_AT_ONCE):
                self._forget()
        return moved

    def mark_gap(self, lost: int) -> None:
        """Record that `lost` bytes are missing here."""
        while lost:
            length = min(lost, LARGEST_LENGTH)
            self._record(time.time_ns(), length, Stream.GAP)
            lost -= length

    def close(self) -> None:
        """Write what is left and close the files. Raises OSError if a record could not be written."""
        try:
            self._write_records()
        finally:
            os.close(self._output)
            os.close(self._index)

    def _record(self, time_ns: int, length: int, stream: Stream) -> None:
        record = Record(self._end, time_ns, length, stream)
        self._end = record.end
        self._unwritten += record.to_bytes()
        self._write_records()

    def _write_records(self) -> None:
        """Write the records that are still to be written, at their places: one cut short is written again."""
        if not self._unwritten:
            return
        written = os.pwrite(self._index, self._unwritten, self._records * RECORD_SIZE)
        complete = written // RECORD_SIZE
        self._records += complete
        self._unwritten = self._unwritten[complete * RECORD_SIZE :]

    def _forget(self) -> None:
        """Keep no more than the limit: what lies before is a hole, and no reader goes there any more."""
        low, high = self._first, self._records
        while low < high:
            middle = (low + high) // 2
            if self._record_at(middle).offset < self._end - self._limit:
                low = middle + 1
            else:
                high = middle
        if low >= self._records:
            return
        offset = self._record_at(low).offset
        draft = self._directory / f"{FIRST}.new"
        draft.write_text(str(low))
        draft.rename(self._directory / FIRST)
        with contextlib.suppress(OSError):  # no holes on this file system: then only the reader forgets
            punch(self._output, self._begin, offset - self._begin)
            punch(self._index, self._first * RECORD_SIZE, (low - self._first) * RECORD_SIZE)
        self._first, self._begin = low, offset

    def _record_at(self, number: int) -> Record:
        return Record.from_bytes(os.pread(self._index, RECORD_SIZE, number * RECORD_SIZE))

    def _last_end(self) -> int:
        return self._record_at(self._records - 1).end if self._records else 0


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
