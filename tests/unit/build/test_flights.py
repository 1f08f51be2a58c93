import asyncio
from collections.abc import Callable

import pytest

from composer.build.events import Report, StepEvent, StepStatus
from composer.build.flights import Flights

SAID = StepEvent(0, "step", StepStatus.STARTED)


def work(done: asyncio.Event, ran: list[str]) -> Callable[[Report], asyncio.Future[str]]:
    async def fly(report: Report) -> str:
        ran.append("begun")
        report(SAID)
        try:
            await done.wait()
        except asyncio.CancelledError:
            ran.append("ended early")
            raise
        return "result"

    return lambda report: asyncio.ensure_future(fly(report))


def test_whoever_comes_later_joins_and_hears_what_was_said() -> None:
    async def scenario() -> None:
        flights, done, ran, heard = Flights[str](), asyncio.Event(), list[str](), list[StepEvent]()
        first = asyncio.create_task(flights.join("key", work(done, ran), lambda _: None))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(flights.join("key", work(done, ran), heard.append))
        await asyncio.sleep(0.01)
        done.set()

        assert [await first, await second] == ["result", "result"]
        assert ran == ["begun"]
        assert heard == [SAID]

    asyncio.run(scenario())


def test_it_goes_on_while_anybody_waits_and_ends_with_the_last() -> None:
    async def scenario() -> None:
        flights, done, ran = Flights[str](), asyncio.Event(), list[str]()
        waiting = [asyncio.create_task(flights.join("key", work(done, ran), lambda _: None)) for _ in range(2)]
        await asyncio.sleep(0.01)

        waiting[0].cancel()
        await asyncio.sleep(0.01)
        assert ran == ["begun"]
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

        assert ran == ["begun", "ended early"]

    asyncio.run(scenario())


def test_what_failed_is_tried_anew_by_the_next() -> None:
    async def scenario() -> None:
        flights = Flights[str]()

        async def fail(_: Report) -> str:
            raise ValueError

        async def succeed(_: Report) -> str:
            return "result"

        with pytest.raises(ValueError):
            await flights.join("key", fail, lambda _: None)
        assert await flights.join("key", succeed, lambda _: None) == "result"

    asyncio.run(scenario())


def test_who_gives_up_twice_waits_for_its_end_too() -> None:
    async def scenario() -> None:
        may_end = asyncio.Event()

        async def fly(_report: Report) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await may_end.wait()

        waiting = asyncio.create_task(Flights[None]().join("key", fly, lambda _: None))
        for _ in range(3):
            await asyncio.sleep(0.01)  # turns of the loop in which it would leave
            waiting.cancel()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())
