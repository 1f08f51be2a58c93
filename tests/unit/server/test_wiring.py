"""The end of an engine, decided while something was still under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from composer.engine.later import Later
from composer.server.wiring import Engine
from composer.unbroken import whole


class Kernel:
    """What of the engine there is, and a container that comes to run when it is let go on."""

    def __init__(self, *, starts: bool) -> None:
        self.left: list[str] = []
        self.runs = False
        self.go_on = asyncio.Event()
        self._starts = starts

    async def started(self) -> None:
        await self.go_on.wait()
        self.runs = self._starts

    def busy(self) -> bool:
        return self.runs

    def __getattr__(self, name: str) -> Any:
        """Everything else notes that it was let go of."""
        return Part(name, self.left.append)


class Part:
    def __init__(self, name: str, note: Callable[[str], None]) -> None:
        self._name, self._note = name, note

    def __getattr__(self, name: str) -> Any:
        return Part(f"{self._name}.{name}", self._note)

    def __call__(self) -> Part:
        self._note(self._name)
        return self

    def __await__(self) -> Any:
        return iter(())


@pytest.mark.parametrize("starts", [False, True])
def test_an_engine_that_ends_takes_nothing_from_a_container_that_was_just_being_started(starts: bool) -> None:
    async def scenario() -> None:
        kernel = cast(Any, Kernel(starts=starts))
        engine = Engine(kernel, kernel, kernel, kernel, cast(Any, Later(object)), kernel)
        kernel.watches = Later(object)
        closing = asyncio.create_task(engine.close(everything=True))
        await asyncio.sleep(0.01)
        assert not closing.done()
        kernel.go_on.set()

        assert await closing is not starts
        assert ("networks.dismantle" in kernel.left) is not starts
        assert ("keeping.stop" in kernel.left) is not starts

    asyncio.run(scenario())


def test_an_engine_that_makes_way_has_ended_what_it_does_in_the_background() -> None:
    async def scenario() -> None:
        kernel = cast(Any, Kernel(starts=False))
        engine = Engine(kernel, kernel, kernel, kernel, cast(Any, Later(object)), kernel)
        kernel.watches = Later(object)
        background = asyncio.create_task(whole(kernel.started()))
        kernel.background = [background]
        await asyncio.sleep(0)
        retiring = asyncio.create_task(engine.retire())
        await asyncio.sleep(0.01)
        assert "store.close" not in kernel.left
        kernel.go_on.set()
        await retiring

        assert background.done()
        assert kernel.left[-1] == "store.close"

    asyncio.run(scenario())
