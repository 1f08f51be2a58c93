"""Requests of one project, one after the other."""

from __future__ import annotations

import asyncio

import pytest

from composer.api.messages import Event
from composer.engine.turns import Turns
from composer.errors import EngineError
from tests.patience import PATIENCE


class Requests:
    """What was done in which order; what waits goes on when it is let."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.done: list[str] = []
        self.go_on = asyncio.Event()

    async def up(self, name: str, *, waits: str = "") -> None:
        """`waits` is where: while it looks what is to be done, or at that."""
        async with self.turns.take("shop", self._ignore):
            if waits == "looking":
                await self.go_on.wait()
            with self.turns.working("shop"):
                if waits == "working":
                    await self.go_on.wait()
                self.done.append(name)

    async def down(self) -> None:
        async with self.turns.take("shop", self._ignore, ending=True):
            with self.turns.working("shop"):
                self.done.append("down")

    def _ignore(self, _event: Event) -> None: ...


def test_who_ends_what_is_under_way_goes_before_those_who_come_after() -> None:
    async def scenario() -> None:
        requests = Requests()
        before = [asyncio.create_task(requests.up(name, waits="working")) for name in ("first", "second")]
        await asyncio.sleep(0)
        downs = [asyncio.create_task(requests.down()) for _ in range(2)]
        after = asyncio.create_task(requests.up("third"))

        for up in before:
            with pytest.raises(EngineError, match="another command took over"):
                await up
        await asyncio.gather(*downs, after)

        assert requests.done == ["down", "down", "third"]

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE))


def test_what_was_ended_while_it_looked_what_is_to_be_done_does_none_of_it() -> None:
    async def scenario() -> None:
        requests = Requests()
        first = asyncio.create_task(requests.up("first", waits="looking"))
        await asyncio.sleep(0)
        down = asyncio.create_task(requests.down())
        await asyncio.sleep(0)
        requests.go_on.set()

        with pytest.raises(EngineError, match="another command took over"):
            await first
        await down

        assert requests.done == ["down"]

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE))


def test_whose_client_leaves_after_another_request_was_ended_is_not_told_that_it_was() -> None:
    async def scenario() -> None:
        requests = Requests()
        requests.go_on.set()
        await requests.up("former")
        requests.turns.end("shop")  # nobody is there
        requests.go_on.clear()
        first = asyncio.create_task(requests.up("first", waits="working"))
        await asyncio.sleep(0)
        first.cancel()

        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE))
