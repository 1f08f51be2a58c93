"""Time as a seam: the engine waits and stamps through a `Clock`, so tests can move it by hand."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the engine may know about time; all in seconds."""

    def now(self) -> float:
        """Seconds since the epoch, for records and users."""

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring and deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; zero gives other tasks their turn."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
