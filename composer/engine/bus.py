"""Who is told that something happened to a container: waiting operations, and clients that follow a project's events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from composer.api.messages import ContainerEvent
from composer.errors import EngineError

_LONGEST_QUEUE = 10_000
"""Events a slow client may be behind by before it is cut off; it can ask again for the state."""


class Bus:
    """Wakes those who wait for a state, and queues events for those who listen."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self.changes = 0
        """How often something has changed: whoever looks, does something else and then waits sees whether he has missed any."""
        self._listening: set[Subscription] = set()

    def changed(self) -> None:
        """Something is different now: everybody looks again."""
        self.changes += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def publish(self, project: str, event: ContainerEvent) -> None:
        """Tell the project's listeners, and wake who waits."""
        for subscription in self._listening:
            if subscription.project == project:
                subscription.offer(event)
        self.changed()

    async def until(self, true: Callable[[], bool], timeout: float | None = None) -> bool:
        """Return True as soon as `true()` holds, False when `timeout` seconds passed before."""
        try:
            async with asyncio.timeout(timeout):
                while not true():
                    await self.next()
        except TimeoutError:
            return true()
        return True

    async def next(self, seen: int | None = None) -> None:
        """Return when anything has changed; at once, if that is so since there were `seen` changes."""
        if seen is not None and seen != self.changes:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def subscribe(self, project: str) -> Subscription:
        """A project's events from now on; close it when done."""
        subscription = Subscription(self._listening, project)
        self._listening.add(subscription)
        return subscription

    def close(self) -> None:
        """End every subscription, when the engine stops."""
        for subscription in self._listening:
            subscription.offer(None)
        self.changed()


class Subscription:
    """An open ear on one project."""

    def __init__(self, listening: set[Subscription], project: str) -> None:
        self.project = project
        self._listening = listening
        self._queue: asyncio.Queue[ContainerEvent | None] = asyncio.Queue(_LONGEST_QUEUE)
        self._has_missed = False
        self._has_ended = False

    def offer(self, event: ContainerEvent | None) -> None:
        """Queue an event, or None for the end; one for which there is no room is missed, and that is told."""
        self._has_ended = self._has_ended or event is None
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._has_missed = True

    async def __aiter__(self) -> AsyncIterator[ContainerEvent]:
        """The events. Raises EngineError where some were missed; who looks at the state then may go on with those after."""
        while (event := await self._queue.get()) is not None:
            if self._has_missed:
                self._begin_anew()
                raise EngineError("this client reads events too slowly", hint="ask again for the current state")
            yield event

    def _begin_anew(self) -> None:
        self._has_missed = False
        while not self._queue.empty():
            self._queue.get_nowait()
        if self._has_ended:
            self._queue.put_nowait(None)

    def close(self) -> None:
        """Stop listening."""
        self._listening.discard(self)
