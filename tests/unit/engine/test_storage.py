"""Volumes that several projects use, made and removed at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from composer.clock import SystemClock
from composer.engine.bus import Bus
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.storage import Storage
from composer.engine.store import Store
from composer.engine.world import DesiredVolume, MountPoint
from composer.paths import Paths
from composer.volume.volumes import Volumes
from tests.patience import PATIENCE
from tests.unit.engine.shop import config

MOUNT = MountPoint("volume", "/data", "data")
USER = ContainerRecord("c1", "other-web-1", "other", "web", 1, config(mounts=(MOUNT,)), "")
DATA = DesiredVolume("data", "data")


class SlowVolumes(Volumes):
    """Removals take until they are let go on."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def remove(self, name: str) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE), "nobody let it go on"
        super().remove(name)


@dataclass
class Case:
    """A volume of one project, filled from an image, and what is kept of it."""

    store: Store
    volumes: SlowVolumes
    storage: Storage

    async def begin(self) -> None:
        await self.storage.create(DATA, "one")
        self.storage.mark_seeded(("data",))
        (self.volumes.path("data") / "file").write_text("content")

    async def removing(self) -> asyncio.Task[None]:
        """Its removal, begun."""
        removing = asyncio.create_task(self.storage.remove("data"))
        await asyncio.to_thread(self.volumes.begun.wait)
        return removing


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    store = Store(tmp_path / "state.db")
    nothing = cast(Any, None)
    volumes = SlowVolumes(tmp_path / "volumes")
    paths = Paths(data=tmp_path / "data", run=tmp_path / "run")
    rooms = Rooms(paths, SystemClock(), store, Bus(), nothing, nothing, volumes, nothing, nothing, nothing)
    yield Case(store, volumes, Storage(rooms))
    store.close()


def test_who_starts_on_a_volume_that_is_being_removed_gets_a_new_one(case: Case) -> None:
    async def scenario() -> None:
        await case.begin()
        removing = await case.removing()
        starting = asyncio.create_task(case.storage.prepare(USER))
        await asyncio.sleep(0.01)
        case.volumes.go_on.set()
        sources = await starting
        await removing

        assert sources.seeded == ("data",)
        assert list(Path(sources.paths["/data"]).iterdir()) == []
        assert case.store.volumes.get("data") is not None

    asyncio.run(scenario())


def test_a_removal_that_is_broken_off_removes_the_record_too(case: Case) -> None:
    async def scenario() -> None:
        await case.begin()
        removing = await case.removing()
        left = case.store.volumes.get("data")
        assert left is not None
        assert not left.seeded  # an engine that died now would fill a volume of that name again
        for _ in range(2):
            removing.cancel()
            await asyncio.sleep(0)
        case.volumes.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await removing

        assert case.store.volumes.get("data") is None
        assert not case.volumes.exists("data")

    asyncio.run(scenario())
