from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from composer.unbroken import unbroken, whole


@pytest.mark.parametrize("cancellations", [0, 1, 3])
@pytest.mark.parametrize("in_thread", [True, False])
def test_work_has_ended_when_its_awaiter_goes_on(in_thread: bool, cancellations: int) -> None:
    go_on = threading.Event()
    done: list[bool] = []

    def work(is_over: Callable[[], bool]) -> str:
        done.append(is_over())
        return "result"

    async def steps() -> str:
        while not go_on.is_set():  # noqa: ASYNC110  a thread sets it
            await asyncio.sleep(0)
        return work(lambda: True)

    async def scenario() -> None:
        awaiting = asyncio.create_task(unbroken(work, go_on.wait) if in_thread else whole(steps()))
        for _ in range(cancellations):
            await asyncio.sleep(0.01)
            awaiting.cancel()
        await asyncio.sleep(0.01)
        assert not awaiting.done()
        go_on.set()
        await asyncio.wait([awaiting])

        assert done == [True]
        assert awaiting.cancelled() is bool(cancellations)
        if not cancellations:
            assert awaiting.result() == "result"

    asyncio.run(scenario())


@pytest.mark.parametrize("in_thread", [True, False])
def test_what_it_raises_is_its_awaiters(in_thread: bool) -> None:
    def work() -> None:
        raise LookupError

    async def steps() -> None:
        work()

    with pytest.raises(LookupError):
        asyncio.run(unbroken(work) if in_thread else whole(steps()))
