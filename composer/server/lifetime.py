"""How long the engine stays: as long as a container runs, a request is open, or a minute has not passed since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from composer.server.http import Answer, Handler, Request


@dataclass(frozen=True, slots=True)
class Ending:
    """How the engine ends."""

    everything: bool = False
    """All that belongs to it ends as well: nothing runs any more."""
    successor: tuple[str, ...] = ()
    """The command that starts the engine that it makes way for."""


class Lifetime:
    """Counts requests and says when it is over."""

    def __init__(self, busy: Callable[[], bool], idle_seconds: float) -> None:
        self._busy = busy
        self._idle_seconds = idle_seconds
        self._requests = 0
        self._last = 0.0
        self._end = asyncio.Event()
        self._how = Ending()

    async def middleware(self, request: Request, handler: Handler) -> Answer | None:
        """Counts the requests that are open."""
        self._requests += 1
        try:
            return await handler(request)
        finally:
            self._requests -= 1
            self._last = asyncio.get_running_loop().time()

    def end(self) -> None:
        """End the engine and all that belongs to it: nothing runs any more."""
        self._how = Ending(everything=True)
        self._end.set()

    def leave(self) -> None:
        """End this process only; containers go on and the keeper starts another engine if there are any."""
        self._how = Ending(everything=not self._busy())
        self._end.set()

    def give_way(self, successor: tuple[str, ...]) -> None:
        """End this process for another engine, which takes up what there is."""
        self._how = Ending(successor=successor)
        self._end.set()

    async def over(self) -> Ending:
        """Return when the engine shall end, and how."""
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        while not self._end.is_set():
            if self._requests or self._busy():
                self._last = loop.time()
            left = self._last + self._idle_seconds - loop.time()
            if left <= 0:
                self.end()
                break
            try:
                await asyncio.wait_for(self._end.wait(), min(left, 5.0))
            except TimeoutError:
                continue
        return self._how
