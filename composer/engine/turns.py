"""One project, one request at a time; whoever takes a project down does not wait, but ends what is under way.

A second `up` waits for the first. `down`, `stop` and `rm` cancel an `up` that may wait for health for minutes, with those that
wait for it, and take their turn when it has let go: before whoever came after them. `kill` takes no turn at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from composer.api.messages import Event
from composer.errors import EngineError


@dataclass(slots=True, eq=False)
class _Turn:
    ending: bool
    """It ends those before it: it is not ended while it waits."""
    over: bool = False
    """Another request has ended it."""


class Turns:
    """The order of requests, by project."""

    def __init__(
        self, rested: Callable[[], None] = lambda: None, free: Callable[[str], None] = lambda _project: None
    ) -> None:
        """`rested` is called when a project is no longer being changed: a log that is followed may be at its end.

        `free` is called with a project whose turn is over while nobody waits for the next one.
        """
        self._rested = rested
        self._free = free
        self._locks: dict[str, asyncio.Lock] = {}
        self._wanting: dict[str, list[_Turn]] = {}
        """Who has a project's turn and who waits for it, in their order."""
        self._working: dict[str, asyncio.Task[object]] = {}

    def at_work(self, project: str) -> bool:
        """Whether a request is changing the project."""
        return project in self._working

    @contextlib.asynccontextmanager
    async def take(self, project: str, emit: Callable[[Event], None], *, ending: bool = False) -> AsyncIterator[None]:
        """Wait for the project's turn and have it, with `ending` at the cost of those before us.

        Raises EngineError when another request ends this one.
        """
        if ending:
            self.end(project)
        elif project in self._wanting:
            emit(Event("project", project, "waiting", detail="another command on this project"))
        turn = _Turn(ending)
        async with self._hold(project, turn):
            try:
                yield
            except asyncio.CancelledError:
                if not turn.over:
                    raise
                raise EngineError(
                    f"another command took over project `{project}`", hint="run this one again when that is done"
                ) from None

    @contextlib.contextmanager
    def working(self, project: str) -> Iterator[None]:
        """The part of a turn that others may end; it does not begin where they have already."""
        if self._wanting[project][0].over:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._working[project] = task
        try:
            yield
        finally:
            if self._working.get(project) is task:
                del self._working[project]
                self._rested()

    def end(self, project: str) -> None:
        """End what is under way and what waits to begin, without waiting for that."""
        for number, turn in enumerate(self._wanting.get(project, ())):
            turn.over = turn.over or not number or not turn.ending
        if (task := self._working.get(project)) is not None:
            task.cancel()

    @contextlib.asynccontextmanager
    async def _hold(self, project: str, turn: _Turn) -> AsyncIterator[None]:
        wanting = self._wanting.setdefault(project, [])
        wanting.append(turn)
        try:
            async with self._locks.setdefault(project, asyncio.Lock()):
                yield
        finally:
            wanting.remove(turn)
            if not wanting:
                del self._wanting[project]
                self._free(project)
