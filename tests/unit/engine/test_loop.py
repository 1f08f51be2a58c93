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
from composer.engine.plan import RemoveContainer
from composer.engine.processes import Probe
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.store import Store
from composer.engine.world import State
from composer.keeper.runs import Exit
from composer.paths import Paths
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
