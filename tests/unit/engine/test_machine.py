"""What is told while a condition is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from composer.api.messages import Event
from composer.engine.bus import Bus
from composer.engine.machine import Machine
from composer.engine.plan import AwaitCondition
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.store import Store
from composer.engine.world import Condition, State
from composer.errors import ContainerError
from composer.paths import Paths
from tests.fakes.clock import FakeClock
from tests.patience import PATIENCE
from tests.unit.engine.shop import config

ENDED = ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "", state=State.RESTARTING, exit_code=3)


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    store = Store(tmp_path / "state.db")
    absent: Any = None
    paths = Paths(data=tmp_path / "data", run=tmp_path / "run")
    yield Rooms(paths, FakeClock(), store, Bus(), absent, absent, absent, absent, absent, absent)
    store.close()


def test_who_waits_for_what_ends_again_and_again_is_told_once_and_goes_on_waiting(rooms: Rooms) -> None:
    absent: Any = None
    told: list[Event] = []
    machine = Machine("shop", rooms, absent, absent, lambda _record, _count: ["no database"], absent, told.append)

    async def scenario() -> None:
        rooms.store.containers.put("c1", ENDED)
        waiting = asyncio.create_task(
            machine.await_condition(AwaitCondition("web", ("shop-web-1",), Condition.STARTED))
        )
        await asyncio.sleep(0)
        assert not told
        for restarts in (3, 4):
            rooms.store.containers.put("c1", replace(ENDED, restarts=restarts))
            rooms.bus.changed()
            await asyncio.sleep(0)
        assert not waiting.done()
        rooms.store.containers.put("c1", replace(ENDED, state=State.RUNNING))
        rooms.bus.changed()
        await waiting

    asyncio.run(scenario())

    (event,) = told
    assert "`shop-web-1` does not stay up: it has exited (3) and been restarted 3 times" in event.detail
    assert "no database" in event.hint


def test_starts_of_what_ends_again_and_again_do_not_prolong_the_wait(rooms: Rooms) -> None:
    absent: Any = None
    machine = Machine("shop", rooms, absent, absent, lambda _record, _count: [], absent, lambda _event: None)
    operation = AwaitCondition("web", ("shop-web-1",), Condition.STARTED, timeout=2 * PATIENCE)

    async def scenario() -> None:
        rooms.store.containers.put("c1", replace(ENDED, state=State.RUNNING, started=rooms.clock.now()))
        waiting = asyncio.create_task(machine.await_condition(operation))
        await asyncio.sleep(0)
        await rooms.clock.sleep(2 * PATIENCE)
        rooms.store.containers.put("c1", ENDED)
        rooms.bus.changed()
        with pytest.raises(ContainerError, match=r"`web` is not running after 120 s"):
            await asyncio.wait_for(waiting, PATIENCE)

    asyncio.run(scenario())
