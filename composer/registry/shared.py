"""Work that several ask for and that is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from composer.registry.progress import LayerProgress, Report
from composer.unbroken import ended

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Work(Generic[T]):
    listeners: list[Report] = field(default_factory=list)
    task: asyncio.Task[T] | None = None
    last: LayerProgress | None = None

    def tell(self, progress: LayerProgress) -> None:
        self.last = progress
        for listener in self.listeners:
            listener(progress)


class Shared(Generic[T]):
    """Runs each piece of work once at a time, and tells all who wait for it how far it is."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Work[T]] = {}

    async def do(self, key: Hashable, work: Callable[[Report], Awaitable[T]], report: Report) -> T:
        """What `work` returns or raises, whoever of those who ask under `key` began it.

        It goes on while anybody waits; when the last one gives up it is cancelled, and has ended when this returns.
        """
        mine = self._under_way.get(key)
        if mine is None:
            mine = self._under_way[key] = _Work()
            mine.task = asyncio.ensure_future(_awaited(work(mine.tell)))
            mine.task.add_done_callback(partial(self._ended, key, mine))
        task = mine.task
        assert task is not None
        mine.listeners.append(report)
        if mine.last:
            report(mine.last)
        try:
            return await asyncio.shield(task)
        finally:
            mine.listeners.remove(report)
            if not mine.listeners and not task.done():
                self._forget(key, mine)  # whoever comes now begins anew
                task.cancel()
                await ended(task)

    def _ended(self, key: Hashable, work: _Work[T], _task: asyncio.Task[T]) -> None:
        self._forget(key, work)

    def _forget(self, key: Hashable, work: _Work[T]) -> None:
        if self._under_way.get(key) is work:
            del self._under_way[key]


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
