"""Containers whose end is known to the kernel and not yet to the records, as an engine finds them that has just come up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from composer.clock import SystemClock
from composer.engine.bus import Bus
from composer.engine.containers import Containers, make_directories
from composer.engine.plan import RemoveContainer
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.store import Store
from composer.engine.world import State
from composer.errors import ContainerError
from composer.paths import Paths
from tests.patience import PATIENCE
from tests.unit.engine.shop import config


@dataclass
class Keeping:
    """The processes that the keeper has."""

    children: dict[str, int] = field(default_factory=dict)


class Cgroups:
    """Groups that are empty already."""

    def kill(self, _name: str) -> None: ...

    def remove(self, _name: str) -> None: ...


class SlowCgroups(Cgroups):
    """Killing what is in a group takes until it is let go on."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def kill(self, _name: str) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    store = Store(tmp_path / "state.db")
    paths = Paths(data=tmp_path / "data", run=tmp_path / "run")
    nothing: Any = None
    yield Rooms(
        paths,
        SystemClock(),
        store,
        Bus(),
        cast(Any, Keeping()),
        nothing,
        nothing,
        nothing,
        cast(Any, Cgroups()),
        nothing,
    )
    store.close()


RUNS = ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "", state=State.RUNNING, pid=7)
REMOVE = RemoveContainer("c1", "shop-web-1", "web", volumes=False)


def test_one_that_has_ended_is_removed_once_that_is_recorded(rooms: Rooms) -> None:
    rooms.store.containers.put("c1", RUNS)

    async def scenario() -> None:
        removing = asyncio.create_task(Containers(rooms).remove(REMOVE))
        await asyncio.sleep(0)
        rooms.store.containers.put("c1", replace(RUNS, state=State.EXITED))
        rooms.bus.changed()
        await removing

    asyncio.run(scenario())

    assert rooms.store.containers.get("c1") is None


def test_one_that_runs_is_not_removed(rooms: Rooms) -> None:
    rooms.store.containers.put("c1", RUNS)
    cast(Any, rooms.keeping).children["c1"] = 7

    with pytest.raises(ContainerError, match="it runs"):
        asyncio.run(Containers(rooms).remove(REMOVE))

    assert rooms.store.containers.get("c1") == RUNS


@pytest.mark.parametrize("cancellations", [1, 2])
def test_a_removal_that_is_broken_off_has_ended_before_anybody_has_the_container_again(
    rooms: Rooms, cancellations: int
) -> None:
    cgroups = SlowCgroups()
    containers = Containers(replace(rooms, cgroups=cast(Any, cgroups)))
    record = replace(RUNS, state=State.EXITED)
    rooms.store.containers.put("c1", record)
    make_directories(rooms.paths, record)

    async def scenario() -> None:
        removing = asyncio.create_task(containers.remove(REMOVE))
        await asyncio.to_thread(cgroups.begun.wait)
        for _ in range(cancellations):
            removing.cancel()
            await asyncio.sleep(0.01)
        assert rooms.lock_of("c1").locked()
        cgroups.go_on.set()
        async with rooms.lock_of("c1"):
            assert rooms.store.containers.get("c1") is None
            assert list((rooms.paths.data / "containers").iterdir()) == []
        with pytest.raises(asyncio.CancelledError):
            await removing

    asyncio.run(scenario())
