"""Making a project real while its files are being watched: images may have to be pulled and built for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from composer.unbroken import ended


class Redefining:
    """Does it, and begins anew when something changes meanwhile."""

    def __init__(self, redefine: Callable[[bool], Coroutine[None, None, bool]]) -> None:
        """`redefine`, told whether more than the rules may have changed, returns whether the rules have."""
        self._redefine = redefine
        self._task: asyncio.Task[None] | None = None
        self._work: asyncio.Future[bool] | None = None
        self._again = self._apply = self._changed = False
        self._done = asyncio.Event()

    @property
    def is_done(self) -> bool:
        """Whether something is another than before, and nothing is under way."""
        return self._done.is_set()

    def begin(self, *, apply: bool) -> None:
        """The project's files have changed: what is under way for what they said before is given up."""
        self._again, self._apply = True, self._apply or apply
        self._done.clear()
        if self._work is not None:
            self._work.cancel()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def done(self) -> None:
        """Return when `is_done`, or when it failed."""
        await self._done.wait()

    async def finish(self) -> None:
        """Wait for what is under way. Raises what it failed with."""
        if self._task is not None:
            await self._task

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._again = False
            self._task.cancel()
            await ended(self._task)

    async def _run(self) -> None:
        try:
            while self._again:
                self._again = False
                self._work = asyncio.ensure_future(self._redefine(self._apply))
                try:
                    self._changed |= await self._work
                    self._apply = False
                except asyncio.CancelledError:
                    if not self._again:
                        raise
        except BaseException:
            self._changed = True
            raise
        finally:
            if self._changed:
                self._done.set()
