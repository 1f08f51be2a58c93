"""One project, one request at a time; whoever takes a project down does not wait, but ends what is under way.

A second `up` waits for the first. `down`, `stop` and `rm` cancel an `up` that may wait for health for minutes, and take
their turn when it has let go. `kill` takes no turn at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

from composer.api.messages import Event
from composer.errors import EngineError


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
        self._wanting: Counter[str] = Counter()
        """How many have a project's turn or wait for it."""
        self._working: dict[str, asyncio.Task[object]] = {}
        self._interrupted: set[str] = set()

    def at_work(self, project: str) -> bool:
        """Whether a request is changing the project."""
        return project in self._working

    @contextlib.asynccontextmanager
    async def take(self, project: str, emit: Callable[[Event], None]) -> AsyncIterator[None]:
        """Wait for the project's turn and have it. Raises EngineError when another request ends this one."""
        if project in self._locks and self._locks[project].locked():
            emit(Event("project", project, "waiting", detail="another command on this project"))
        async with self._hold(project):
            try:
                yield
            except asyncio.CancelledError:
                if project not in self._interrupted:
                    raise
                self._interrupted.discard(project)
                raise EngineError(
                    f"another command took over project `{project}`", hint="run this one again when that is done"
                ) from None

    @contextlib.contextmanager
    def working(self, project: str) -> Iterator[None]:
        """The part of a turn that others may end."""
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
        """End what is under way, without waiting for it."""
        if (task := self._working.get(project)) is not None:
            self._interrupted.add(project)
            task.cancel()

    async def interrupt(self, project: str) -> None:
        """End what is under way, and return when it has let go."""
        if project in self._working:
            self.end(project)
            try:
                async with self._hold(project):
                    pass
            finally:
                self._interrupted.discard(project)

    @contextlib.asynccontextmanager
    async def _hold(self, project: str) -> AsyncIterator[None]:
        self._wanting[project] += 1
        try:
            async with self._locks.setdefault(project, asyncio.Lock()):
                yield
        finally:
            self._wanting[project] -= 1
            if not self._wanting[project]:
                del self._wanting[project]
                self._free(project)
