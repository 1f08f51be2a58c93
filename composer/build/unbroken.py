"""Work in a thread that nobody gives up half way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def unbroken(work: Callable[[], None]) -> None:
    """Work in a thread; whoever gives up waits until it has ended, since its directory is taken away then."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
