"""The files of a service's containers, while they are looked at."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from composer.engine.records import ContainerRecord
from composer.engine.watching.files import Files
from composer.engine.world import State
from composer.errors import ImageError
from composer.keeper.runs import Child
from composer.watch.ledger import Ledger
from composer.watch.tree import Entry
from tests.patience import PATIENCE
from tests.unit.engine.shop import config

RUNS = ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "", state=State.RUNNING)


class SlowLedger(Ledger):
    """What was found in a container is noted when it is let go on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def enter(self, owner: str, entries: Mapping[str, Entry | None]) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        super().enter(owner, entries)


class NoImages:
    """Every image is gone."""

    def image(self, _record: ContainerRecord) -> None:
        raise ImageError("it is gone")


def test_who_stops_to_look_at_a_container_has_noted_what_was_found(tmp_path: Path) -> None:
    ledger = SlowLedger(tmp_path / "ledger.db")
    pidfd = os.pidfd_open(os.getpid())
    rooms: Any = SimpleNamespace(
        store=SimpleNamespace(containers_of=lambda _project: [RUNS]),
        keeping=SimpleNamespace(children={"c1": Child(os.getpid(), 0, pidfd, ())}),
    )
    files = Files("shop", "web", [], rooms, cast(Any, NoImages()), ledger)

    async def scenario() -> None:
        planning = asyncio.create_task(files.plan(set(), {"c1"}))
        await asyncio.to_thread(ledger.begun.wait)
        planning.cancel()
        await asyncio.sleep(0.01)
        assert not planning.done()  # who looks next would be told what is no longer so
        ledger.go_on.set()
        await asyncio.wait([planning])
        assert planning.cancelled()

    asyncio.run(scenario())
    ledger.close()
    os.close(pidfd)
