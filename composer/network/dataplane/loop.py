"""One thread, one `epoll(7)` set, and timers."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

READABLE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
"""Trying to read is worth it: there is data, an end or an error."""
WRITABLE = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
"""Tell each change once; whoever watches with it must read and write until EAGAIN."""


class Timer:
    """A call in the future."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not call; a second time is fine."""
        self.callback = None


class Loop:
    """Calls handlers when their descriptors are ready.

    A handler treats the event mask as a hint only: a descriptor may be closed and its number used again between
    `epoll_wait` and the call.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._soon: list[Callable[[], None]] = []
        self._stopped = False

    def watch(self, fd: int, handler: Callable[[int], None], events: int = select.EPOLLIN) -> None:
        """Call `handler(mask)` when `fd` has one of `events`."""
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Wait for other events of `fd`."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`, before it is closed; one that is not watched is fine."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once after `seconds`."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next round, after everything that is ready now had its turn."""
        self._soon.append(callback)

    def stop(self) -> None:
        """Let `run` return after this round."""
        self._stopped = True

    def run(self) -> None:
        """Serve until `stop`."""
        handlers = self._handlers
        while not self._stopped:
            for fd, mask in self._epoll.poll(self._timeout()):
                handler = handlers.get(fd)
                if handler is not None:
                    handler(mask)
            if self._soon:
                callbacks, self._soon = self._soon, []
                for callback in callbacks:
                    callback()
            if self._timers:
                self._fire()

    def _timeout(self) -> float:
        if self._soon:
            return 0
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1

    def _fire(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                timer.callback()
