"""Work that nobody gives up half way: who is cancelled meanwhile waits until it has ended, and is cancelled then."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def unbroken(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises, done in a thread as by `asyncio.to_thread`.

    Whoever is cancelled meanwhile waits until it has ended: what it works in, or the lock it works under, goes away then.
    """
    context = contextvars.copy_context()
    # No task: the end of the loop would cancel it by itself.
    return await _outcome(asyncio.get_running_loop().run_in_executor(None, partial(context.run, work, *args, **kwargs)))


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises, all of its steps done; as `unbroken`, but that the end of the loop cancels it."""
    return await _outcome(asyncio.create_task(work))


async def ended(*working: asyncio.Future[Any]) -> None:
    """Return when all of these are done; whoever is cancelled meanwhile waits nevertheless, and is cancelled then."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [each for each in working if not each.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _outcome(working: asyncio.Future[T]) -> T:
    try:
        await ended(working)
    except asyncio.CancelledError:
        if not working.cancelled():
            working.exception()  # seen; the cancellation is what counts
        raise
    return working.result()
