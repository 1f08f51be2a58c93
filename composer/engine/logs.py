"""What containers wrote, read back: everything until now, and on as it comes.

The pump writes a container's log and its index (`keeper.logs`); inotify tells when there is more.
"""

from __future__ import annotations

import asyncio
import heapq
import os
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from composer.api.messages import LogEntry
from composer.engine.records import ContainerRecord
from composer.keeper.logs import LogLine, read
from composer.kernel.inotify import IN_CREATE, IN_MODIFY, Inotify


class Wakeups:
    """One inotify descriptor for all logs that are followed: sets an event for each directory that changed."""

    def __init__(self) -> None:
        self._inotify = Inotify()
        self._events: dict[int, list[asyncio.Event]] = {}
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._readable)

    def watch(self, directory: Path) -> tuple[int, asyncio.Event]:
        """An event that is set whenever something in `directory` changes, and the number to give it back with."""
        number = self._inotify.add(str(directory), IN_MODIFY | IN_CREATE)
        woken = asyncio.Event()
        self._events.setdefault(number, []).append(woken)
        return number, woken

    def unwatch(self, number: int, woken: asyncio.Event) -> None:
        """Give back what `watch` gave."""
        waiting = self._events.get(number, [])
        if woken in waiting:
            waiting.remove(woken)
        if not waiting and self._events.pop(number, None) is not None:
            self._inotify.remove(number)

    def close(self) -> None:
        """Stop watching anything."""
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._inotify.close()

    def _readable(self) -> None:
        for happened in self._inotify.read():
            for woken in self._events.get(happened.watch, ()):
                woken.set()


def past(
    records: Iterable[ContainerRecord],
    directory: Callable[[str], Path],
    *,
    since: float = 0.0,
    until: float | None = None,
    tail: int | None = None,
) -> Iterable[LogEntry]:
    """The lines written so far, of all containers by time; `tail` is a number of lines for each."""
    streams = [
        [entry(record, line) for line in read(directory(record.id), since=since, tail=tail)] for record in records
    ]
    merged = heapq.merge(*streams, key=lambda line: line.time)
    return (line for line in merged if until is None or line.time <= until)


def entry(record: ContainerRecord, line: LogLine) -> LogEntry:
    """A line with its container's name on it."""
    return LogEntry(
        container=record.name,
        service=record.service,
        number=record.number,
        stream=line.stream,
        time=line.time,
        text=line.text.decode("utf-8", "replace"),
    )


async def follow(
    directory: Path, wakeups: Wakeups, ended: Callable[[], bool], changed: Callable[[Callable[[], bool]], object]
) -> AsyncIterator[LogLine]:
    """Lines as they are written, from now on, until the container has `ended` and everything was read."""
    raise NotImplementedError(os.fspath(directory))
