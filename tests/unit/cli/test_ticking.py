from __future__ import annotations

import asyncio
import io

import pytest

from composer.cli.render.events import QuietProgress
from composer.cli.render.terminal import Screen
from composer.cli.ticking import ticking


class Counting(QuietProgress):
    """Lets `enough` be set by the third tick."""

    interval: float | None = 0.001

    def __init__(self, enough: asyncio.Event) -> None:
        super().__init__(Screen.of(io.StringIO(), {}))
        self.enough = enough
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 3:
            self.enough.set()


def test_progress_moves_as_long_as_the_work_goes_on() -> None:
    async def wait() -> tuple[bool, int]:
        enough = asyncio.Event()
        progress = Counting(enough)
        return await ticking(progress, enough.wait()), progress.ticks

    assert asyncio.run(wait()) == (True, 3)


def test_what_the_work_raises_comes_out() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(ticking(QuietProgress(Screen.of(io.StringIO(), {})), fail()))
