"""What containers wrote, read back: everything until now, and on as it comes.

The pump writes a container's log and its index (`keeper.logs`); inotify tells when there is more. Whoever follows reads at his
own pace: nothing is queued for him but the files themselves.
"""

from __future__ import annotations

import asyncio
import heapq
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from composer.api.messages import LogEntry
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.world import State
from composer.keeper.logs import RECORD_SIZE, Follower, LogLine, Record, Stream, read
from composer.keeper.logs import follow as follow_log
from composer.kernel.inotify import IN_CREATE, IN_MODIFY, Inotify

_LARGEST_PIECE = 65536
_NO_WATCH = -1
_NOW_AND_THEN = 0.25
"""Seconds between two looks at logs that the kernel does not watch for us."""
_ALIVE = (State.RUNNING, State.RESTARTING)


class Wakeups:
    """One inotify instance for all logs that are followed: sets an event for each directory that changed.

    Where the kernel has no instance or watch left (other programs of the user have them all) everybody is woken now and then.
    """

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        self._events: dict[int, list[asyncio.Event]] = {}
        self._now_and_then: asyncio.TimerHandle | None = None
        with suppress(OSError):
            self._inotify = Inotify()
            asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._readable)

    def watch(self, directory: Path, woken: asyncio.Event) -> int:
        """Have `woken` set whenever something in `directory` changes; the number to give it back with."""
        number = self._number(directory)
        self._events.setdefault(number, []).append(woken)
        return number

    def _number(self, directory: Path) -> int:
        """The kernel's for its watch; `_NO_WATCH` where it has none for us."""
        with suppress(OSError):
            if self._inotify is not None:
                return self._inotify.add(directory, IN_MODIFY | IN_CREATE)
        if self._now_and_then is None:
            self._wake_unwatched()
        return _NO_WATCH

    def _wake_unwatched(self) -> None:
        for woken in self._events.get(_NO_WATCH, ()):
            woken.set()
        self._now_and_then = asyncio.get_running_loop().call_later(_NOW_AND_THEN, self._wake_unwatched)

    def unwatch(self, number: int, woken: asyncio.Event) -> None:
        """Give back what `watch` gave; a directory that is gone is fine."""
        waiting = self._events.get(number, [])
        if woken in waiting:
            waiting.remove(woken)
        if not waiting and self._events.pop(number, None) is not None:
            if number == _NO_WATCH and self._now_and_then is not None:
                self._now_and_then.cancel()
                self._now_and_then = None
            elif self._inotify is not None:
                with suppress(OSError):
                    self._inotify.remove(number)

    def close(self) -> None:
        """Stop watching anything."""
        if self._now_and_then is not None:
            self._now_and_then.cancel()
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()

    def _readable(self) -> None:
        assert self._inotify is not None
        for happened in self._inotify.read():
            for woken in self._events.get(happened.watch, ()):
                woken.set()


class Logs:
    """The logs of every container of this engine."""

    def __init__(self, rooms: Rooms, at_work: Callable[[str], bool] = lambda _project: False) -> None:
        """`at_work` tells whether a request is changing a project: its logs are not at their end yet."""
        self._rooms = rooms
        self._wakeups = Wakeups()
        self.at_work = at_work

    def close(self) -> None:
        """Stop following."""
        self._wakeups.close()

    def last(self, record: ContainerRecord, count: int) -> list[str]:
        """The last lines of a container."""
        lines = read(self._directory(record.id), tail=count)
        return [line.text.decode("utf-8", "replace") for line in lines]

    async def of(
        self,
        project: str,
        *,
        services: tuple[str, ...] = (),
        tail: int | None = None,
        since: float = 0.0,
        until: float | None = None,
        follow: bool = False,
    ) -> AsyncIterator[LogEntry]:
        """The lines of a project's containers by time, `tail` a number for each; with `follow` on until all have ended."""
        followed: dict[str, Follower] = {}
        woken = asyncio.Event()
        watches: list[int] = []
        try:
            past: list[list[LogEntry]] = []
            for record in self._records(project, services):
                past.append(self._begin(record, since, tail, followed))
                if follow:
                    watches.append(self._wakeups.watch(self._directory(record.id), woken))
            for entry in _until(heapq.merge(*past, key=lambda entry: entry.time), until):
                yield entry
            while follow:
                woken.clear()
                seen = self._rooms.bus.changes
                alive = self.at_work(project)
                fresh: list[LogEntry] = []
                for record in self._records(project, services):
                    if record.id not in followed:
                        fresh += self._begin(record, since, None, followed)
                        watches.append(self._wakeups.watch(self._directory(record.id), woken))
                    alive = alive or record.state in _ALIVE
                    follower = followed[record.id]
                    fresh += [_entry(record, line) for line in follower.poll()]
                    if record.state not in _ALIVE:
                        fresh += [_entry(record, line) for line in follower.finish()]
                for entry in sorted(fresh, key=lambda entry: entry.time):
                    yield entry
                if not alive:
                    return
                await _something(self._rooms, woken, seen)
        finally:
            for number in watches:
                self._wakeups.unwatch(number, woken)
            for follower in followed.values():
                follower.close()

    def raw(self, record: ContainerRecord, *, past: bool) -> Raw:
        """The bytes a container writes with the name of their stream, until it has ended; `past` from the beginning.

        To be read once the container has been started; from this call on its log is kept for whoever reads, until that closes it.
        """
        return Raw(self._rooms, self._wakeups, record.id, past=past)

    def _begin(
        self, record: ContainerRecord, since: float, tail: int | None, followed: dict[str, Follower]
    ) -> list[LogEntry]:
        follower, found = follow_log(self._directory(record.id), since or None, tail)
        lines = list(found)
        followed[record.id] = follower
        if record.state not in _ALIVE:
            lines += follower.finish()
            lines = lines if tail is None else lines[-tail:] if tail else []
        return [_entry(record, line) for line in lines]

    def _records(self, project: str, services: tuple[str, ...]) -> list[ContainerRecord]:
        return [
            record
            for record in self._rooms.store.containers_of(project)
            if (not services or record.service in services) and self._directory(record.id).is_dir()
        ]

    def _directory(self, container: str) -> Path:
        return self._rooms.paths.container(container) / "log"


class Raw:
    """One reader of what a container writes."""

    def __init__(self, rooms: Rooms, wakeups: Wakeups, container: str, *, past: bool) -> None:
        self._rooms = rooms
        self._wakeups = wakeups
        self._container = container
        self._directory = rooms.paths.container(container) / "log"
        self._pieces = _Pieces(self._directory, past=past)
        self._is_open = True
        rooms.reading[container] += 1

    async def pieces(self) -> AsyncIterator[tuple[str, bytes]]:
        """The bytes with the name of their stream, until it has ended."""
        woken = asyncio.Event()
        number = self._wakeups.watch(self._directory, woken)
        try:
            while True:
                woken.clear()
                seen = self._rooms.bus.changes
                current = self._rooms.store.containers.get(self._container)
                alive = current is not None and current.state in _ALIVE
                for piece in self._pieces.read():
                    yield piece
                if not alive:
                    return
                await _something(self._rooms, woken, seen)
        finally:
            self._wakeups.unwatch(number, woken)

    def close(self) -> None:
        """Read no more: the log need not be kept for this reader; idempotent."""
        if self._is_open:
            self._is_open = False
            self._pieces.close()
            self._rooms.reading[self._container] -= 1
            if self._rooms.reading[self._container] <= 0:
                del self._rooms.reading[self._container]
            self._rooms.bus.changed()


async def _something(rooms: Rooms, woken: asyncio.Event, seen: int) -> None:
    """Return when there is more to read, or a container's state has changed since there were `seen` changes."""
    writing = asyncio.create_task(woken.wait())
    changing = asyncio.create_task(rooms.bus.next(seen))
    try:
        await asyncio.wait((writing, changing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        writing.cancel()
        changing.cancel()


class _Pieces:
    """The pieces of a log as the pump moved them, without looking for lines."""

    def __init__(self, directory: Path, *, past: bool) -> None:
        self._directory = directory
        self._index = -1
        self._output = -1
        self._next = 0
        if not past and self._open():
            self._next = os.fstat(self._index).st_size // RECORD_SIZE

    def read(self) -> Iterator[tuple[str, bytes]]:
        """What came since the last time."""
        if not self._open():
            return
        while len(data := os.pread(self._index, RECORD_SIZE, self._next * RECORD_SIZE)) == RECORD_SIZE:
            self._next += 1
            record = Record.from_bytes(data)
            if record.stream is Stream.GAP:
                continue
            position = record.offset
            while position < record.end:
                piece = os.pread(self._output, min(_LARGEST_PIECE, record.end - position), position)
                if not piece:
                    break
                position += len(piece)
                yield record.stream.name.lower(), piece

    def close(self) -> None:
        """Close the files."""
        for fd in (self._index, self._output):
            if fd >= 0:
                os.close(fd)

    def _open(self) -> bool:
        try:
            if self._output < 0:
                self._output = os.open(self._directory / "output", os.O_RDONLY | os.O_CLOEXEC)
            if self._index < 0:
                self._index = os.open(self._directory / "index", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        return True


def _entry(record: ContainerRecord, line: LogLine) -> LogEntry:
    return LogEntry(
        container=record.name,
        service=record.service,
        number=record.number,
        stream=line.stream,
        time=line.time,
        text=line.text.decode("utf-8", "replace"),
    )


def _until(entries: Iterable[LogEntry], until: float | None) -> Iterator[LogEntry]:
    return (entry for entry in entries if until is None or entry.time <= until)
