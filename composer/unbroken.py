"""Work in a thread that nobody gives up half way."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def unbroken(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises, done in a thread as by `asyncio.to_thread`.

    Whoever is cancelled meanwhile waits until it has ended: what it works in, or the lock it works under, goes away then.
    """
    context = contextvars.copy_context()
    # No task: the end of the loop would cancel it by itself.
    working = asyncio.get_running_loop().run_in_executor(None, partial(context.run, work, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        working.exception()  # seen; the cancellation is what counts
        raise cancelled
    return working.result()
