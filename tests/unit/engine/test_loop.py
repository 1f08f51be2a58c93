"""What the engine remembers of containers, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from composer.clock import SystemClock
from composer.engine import loop
from composer.engine.bus import Bus
from composer.engine.confinement import Confinement
from composer.engine.containers import Containers
from composer.engine.loop import Loop
from composer.engine.plan import RemoveContainer, StopContainer
from composer.engine.processes import Probe
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.store import Store
from composer.engine.world import State
from composer.errors import ContainerError
from composer.keeper.runs import Exit
from composer.paths import Paths
from tests.patience import until
from tests.unit.engine.shop import config

RUNS = ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "", state=State.RUNNING, pid=7)


class Nothing:
    """Whatever is asked of it has been done."""

    def __getattr__(self, _name: str) -> Any:
        def done(*_arguments: Any) -> Any:
            return 0

        return done


class Waited(Nothing):
    """Likewise, where that is waited for."""

    children: dict[str, int] = {}  # noqa: RUF012  nobody adds to it

    def __getattr__(self, _name: str) -> Any:
        async def done(*_arguments: Any) -> None:
            pass

        return done


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    store = Store(tmp_path / "state.db")
    paths = Paths(data=tmp_path / "data", run=tmp_path / "run")
    nothing, waited = cast(Any, Nothing()), cast(Any, Waited())
    yield Rooms(paths, SystemClock(), store, Bus(), waited, nothing, nothing, waited, nothing, nothing)
    store.close()


def test_a_container_that_is_removed_is_forgotten(rooms: Rooms) -> None:
    async def scenario() -> None:
        containers = Containers(rooms)
        watching = Loop(rooms, containers, cast(Any, None), cast(Any, None), cast(Confinement, Nothing()))
        for id_ in ("c1", "c2"):
            record = replace(RUNS, id=id_, name=id_)
            rooms.store.containers.put(id_, record)
            await watching.lost(record)
            watching.probes[id_] = Probe(0, "")
        await containers.remove(RemoveContainer("c1", "c1", "web", volumes=False))

        assert set(watching._histories) == {"c2"}
        assert set(watching.probes) == {"c2"}

    asyncio.run(scenario())


def test_the_latest_ends_are_remembered_after_their_containers(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_MOST_EXITS", 2)

    async def scenario() -> None:
        watching = Loop(rooms, Containers(rooms), cast(Any, None), cast(Any, None), cast(Confinement, Nothing()))
        watching.retire()
        for status, id_ in enumerate(("c1", "c2", "c3")):
            watching.exited(Exit(id_, 1, status, 0.0))

        assert watching.exit_codes == {"c2": 1, "c3": 2}

    asyncio.run(scenario())


class SlowStarting:
    """Starts that take until they are let go on."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def start(self, record: ContainerRecord) -> ContainerRecord:
        self.begun.set()
        await self.go_on.wait()
        record = replace(record, state=State.RUNNING, wanted=True, pid=8)
        self._rooms.store.containers.put(record.id, record)
        return record


def made(rooms: Rooms, starting: SlowStarting) -> tuple[Loop, Containers]:
    containers = Containers(rooms)
    watching = Loop(rooms, containers, cast(Any, starting), cast(Any, None), cast(Confinement, Nothing()))
    watching.recovered()
    return watching, containers


@pytest.mark.parametrize("then", ["stop", "remove"])
def test_a_restart_under_way_is_waited_for_by_who_ends_the_container(rooms: Rooms, then: str) -> None:
    async def scenario() -> None:
        starting = SlowStarting(rooms)
        watching, containers = made(rooms, starting)
        record = replace(RUNS, state=State.RESTARTING, pid=0)
        rooms.store.containers.put("c1", record)
        watching.resume(record)
        await starting.begun.wait()

        if then == "stop":
            ending = asyncio.create_task(containers.stop(StopContainer("c1", "c1", "web", 0.0)))
        else:
            ending = asyncio.create_task(containers.remove(RemoveContainer("c1", "c1", "web", volumes=False)))
        await asyncio.sleep(0.01)
        assert not ending.done()
        starting.go_on.set()
        if then == "stop":
            async with rooms.lock_of("c1"):
                started = rooms.store.containers.get("c1")
            assert started is not None
            assert started.state is State.RUNNING
            await watching.lost(started)  # by the signal
            await ending
        else:
            with pytest.raises(ContainerError, match="it runs"):
                await ending

        left = rooms.store.containers.get("c1")
        assert left is not None
        assert left.state is (State.EXITED if then == "stop" else State.RUNNING)

    asyncio.run(scenario())


def test_one_that_is_just_being_started_is_stopped_and_removed_where_a_project_is_taken_down(rooms: Rooms) -> None:
    async def scenario() -> None:
        starting = SlowStarting(rooms)
        watching, containers = made(rooms, starting)
        rooms.store.containers.put("c1", replace(RUNS, state=State.CREATED, pid=0))
        attaching = asyncio.create_task(watching.start("shop-web-1"))
        await starting.begun.wait()

        removing = asyncio.create_task(containers.remove(RemoveContainer("c1", "c1", "web", stop=True, timeout=0.0)))
        await asyncio.sleep(0)
        starting.go_on.set()
        await attaching

        def told_to_end() -> bool:
            record = rooms.store.containers.get("c1")
            return record is not None and not record.wanted

        await until(told_to_end)
        started = rooms.store.containers.get("c1")
        assert started is not None
        await watching.lost(started)  # by the signal
        await removing
        assert rooms.store.containers.get("c1") is None

    asyncio.run(scenario())


def test_one_that_is_being_removed_is_not_started(rooms: Rooms) -> None:
    async def scenario() -> None:
        starting = SlowStarting(rooms)
        starting.go_on.set()
        watching, containers = made(rooms, starting)
        rooms.store.containers.put("c1", replace(RUNS, state=State.CREATED, pid=0))

        removing = asyncio.create_task(containers.remove(RemoveContainer("c1", "c1", "web", volumes=False)))
        await asyncio.sleep(0)
        await watching.start("shop-web-1")
        await removing

        assert not starting.begun.is_set()
        assert rooms.store.containers.get("c1") is None

    asyncio.run(scenario())


def test_a_start_comes_to_its_end_though_nobody_waits_for_it_any_more(rooms: Rooms) -> None:
    async def scenario() -> None:
        starting = SlowStarting(rooms)
        watching, _containers = made(rooms, starting)
        rooms.store.containers.put("c1", replace(RUNS, state=State.CREATED, pid=0))
        asked = asyncio.create_task(watching.start("shop-web-1"))
        await starting.begun.wait()

        asked.cancel()
        await asyncio.wait([asked])
        starting.go_on.set()

        assert asked.cancelled()
        await watching.started()
        record = rooms.store.containers.get("c1")
        assert record is not None
        assert record.state is State.RUNNING

    asyncio.run(scenario())


def test_a_restart_that_was_called_off_while_another_start_failed_is_none(rooms: Rooms) -> None:
    async def scenario() -> None:
        starting = SlowStarting(rooms)
        watching, _containers = made(rooms, starting)
        record = replace(RUNS, state=State.RESTARTING, pid=0)
        rooms.store.containers.put("c1", record)
        async with rooms.lock_of("c1"):
            watching.resume(record)
            await asyncio.sleep(0.01)
            rooms.store.containers.put("c1", replace(record, state=State.EXITED))
        await asyncio.sleep(0.01)

        assert not starting.begun.is_set()

    asyncio.run(scenario())
