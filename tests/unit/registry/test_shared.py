from __future__ import annotations

import asyncio

import pytest

from composer.registry.progress import Report
from composer.registry.shared import Shared


def test_work_that_is_given_up_takes_nobodys_place_when_it_has_ended() -> None:
    begun: list[int] = []
    given_up_may_end, may_end = asyncio.Event(), asyncio.Event()

    async def work(_report: Report) -> str:
        begun.append(len(begun))
        if len(begun) > 1:
            await may_end.wait()
            return "result"
        try:
            await asyncio.Event().wait()
        finally:
            await given_up_may_end.wait()
        raise AssertionError("nobody ends it well")

    async def scenario() -> None:
        shared = Shared[str]()
        first = asyncio.create_task(shared.do("key", work, lambda _: None))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        second = asyncio.create_task(shared.do("key", work, lambda _: None))
        await asyncio.sleep(0.01)
        given_up_may_end.set()
        await asyncio.wait([first])
        third = asyncio.create_task(shared.do("key", work, lambda _: None))
        await asyncio.sleep(0.01)
        may_end.set()

        assert [await second, await third] == ["result", "result"]
        assert begun == [0, 1]

    asyncio.run(scenario())


def test_who_gives_up_twice_waits_for_its_end_too() -> None:
    may_end = asyncio.Event()

    async def work(_report: Report) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    async def scenario() -> None:
        doing = asyncio.create_task(Shared[None]().do("key", work, lambda _: None))
        for _ in range(3):
            await asyncio.sleep(0.01)  # turns of the loop in which it would leave
            doing.cancel()
        await asyncio.sleep(0.01)
        assert not doing.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await doing

    asyncio.run(scenario())
