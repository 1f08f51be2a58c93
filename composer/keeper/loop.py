"""A single-threaded event loop over `epoll(7)`: descriptors, and a few timers."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

from composer.keeper.notes import note_failure

Callback = Callable[[], None]


class Loop:
    """Calls back when a descriptor is readable (or writable, where asked for), or when time has come."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Callback]] = []
        self._numbers = itertools.count()
        self._running = True

    def watch(self, fd: int, callback: Callback) -> None:
        """Call `callback` whenever `fd` is readable or hung up, until `unwatch`."""
        self._readers[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def want_write(self, fd: int, callback: Callback | None) -> None:
        """Call `callback` as long as the watched `fd` takes data; None ends that."""
        if callback is None:
            if self._writers.pop(fd, None):
                self._epoll.modify(fd, select.EPOLLIN)
        elif fd not in self._writers:
            self._writers[fd] = callback
            self._epoll.modify(fd, select.EPOLLIN | select.EPOLLOUT)

    def unwatch(self, fd: int) -> None:
        """Forget `fd`, before it is closed; one that is not watched is fine."""
        self._writers.pop(fd, None)
        if self._readers.pop(fd, None):
            self._epoll.unregister(fd)

    def later(self, seconds: float, callback: Callback) -> None:
        """Call `callback` once, in `seconds`."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), callback))

    def stop(self) -> None:
        """Let `run` return after the callbacks at hand."""
        self._running = False

    def run(self) -> None:
        """Call back until `stop`. One callback's failure is noted and hurts no other."""
        while self._running:
            timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1
            for fd, events in self._epoll.poll(timeout):
                if events & ~select.EPOLLOUT and (reader := self._readers.get(fd)):
                    _guarded(reader)
                if events & select.EPOLLOUT and (writer := self._writers.get(fd)):
                    _guarded(writer)
            while self._timers and self._timers[0][0] <= time.monotonic():
                _guarded(heapq.heappop(self._timers)[2])


def _guarded(callback: Callback) -> None:
    try:
        callback()
    except Exception as error:
        note_failure(error)
