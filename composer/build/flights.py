"""Work that several want at once is done once: whoever comes later joins, and it ends early only when all have left."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from composer.build.events import Report, StepEvent
from composer.unbroken import ended

T = TypeVar("T")

_REMEMBERED = 1000
"""Events that are kept for those who join late."""


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    listeners: list[Report] = field(default_factory=list)
    said: deque[StepEvent] = field(default_factory=deque)


class Flights(Generic[T]):
    """What is under way, by key."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def join(self, key: str, work: Callable[[Report], Awaitable[T]], listener: Report) -> T:
        """What `work` returns or raises, begun unless it is under way; `listener` hears all that it reports.

        Who joins late hears first what was said before. Cancelled when the last one who waits is.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = self._begin(key, work)
        for event in flight.said:
            listener(event)
        flight.listeners.append(listener)
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if len(flight.listeners) == 1 and not flight.task.done():
                self._flights.pop(key, None)  # whoever comes now begins anew
                flight.task.cancel()
                await ended(flight.task)
            raise
        finally:
            flight.listeners.remove(listener)

    def _begin(self, key: str, work: Callable[[Report], Awaitable[T]]) -> _Flight[T]:
        listeners: list[Report] = []
        said: deque[StepEvent] = deque(maxlen=_REMEMBERED)

        def tell(event: StepEvent) -> None:
            said.append(event)
            for listener in listeners:
                listener(event)

        async def fly() -> T:
            try:
                return await work(tell)
            finally:
                if (flight := self._flights.get(key)) is not None and flight.task is task:
                    del self._flights[key]

        task = asyncio.create_task(fly())
        task.add_done_callback(_heard)
        return _Flight(task, listeners, said)


def _heard(task: asyncio.Task[object]) -> None:
    """A failure is told to those who wait; when all of them have left it is nobody's."""
    if not task.cancelled():
        task.exception()
