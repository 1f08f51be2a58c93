"""Lets time pass for what shows progress, while this process itself is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from composer.cli.render.events import Progress

T = TypeVar("T")


async def ticking(progress: Progress, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises; `progress` moves as long as it goes on."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait((task,), timeout=progress.interval))[0]:
            progress.tick()
        return task.result()
    finally:
        task.cancel()
