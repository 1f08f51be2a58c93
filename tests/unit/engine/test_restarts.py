"""Restarts that were broken off: who carries them on, and what ends that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from composer.engine.records import ContainerRecord
from composer.engine.restarts import Restarts
from composer.engine.store import Store
from composer.engine.turns import Turns
from composer.engine.world import RestartPolicy, State
from composer.errors import EngineError
from composer.image.disk import boot_id
from tests.patience import until
from tests.unit.engine.shop import config


class Shop:
    """A project's records and turns; what is carried on takes until it is let go on."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.turns = Turns(free=lambda project: self.restarts.go_on(project))
        self.restarts = Restarts(store, self._carry_on)
        self.started: list[str] = []
        self.go_on = asyncio.Event()

    def stopped(self, service: str, boot: str = "", policy: str = "no") -> None:
        record = ContainerRecord(
            service, service, "shop", service, 1, config(restart=RestartPolicy(policy)), "", state=State.EXITED
        )
        self.store.containers.put(service, replace(record, restarting=boot or boot_id()))

    async def rest(self) -> None:
        await until(lambda: not self.restarts.under_way)

    async def _carry_on(self, project: str) -> None:
        async with self.turns.take(project, lambda _event: None):
            with self.turns.working(project):
                for name in sorted(self.restarts.begun(project)):
                    await self.go_on.wait()
                    record = self.store.containers.get(name)
                    assert record is not None
                    self.store.containers.put(name, replace(record, restarting=""))
                    self.started.append(name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.db")
    yield store
    store.close()


async def act(shop: Shop, deed: Callable[[], None], *, ending: bool = False) -> None:
    """A request that does something in its turn."""
    async with shop.turns.take("shop", lambda _event: None, ending=ending):
        with shop.turns.working("shop"):
            deed()
            await asyncio.sleep(0)


def test_what_a_broken_off_restart_has_stopped_is_started_when_nobody_waits_for_the_project(store: Store) -> None:
    async def scenario() -> None:
        shop = Shop(store)
        shop.go_on.set()
        shop.stopped("db")
        shop.stopped("web")
        restart = asyncio.create_task(act(shop, lambda: None))
        await asyncio.sleep(0)

        await act(shop, lambda: shop.restarts.call_off("shop", ("web",)), ending=True)
        await shop.rest()

        with pytest.raises(EngineError, match="another command took over"):
            await restart
        assert shop.started == ["db"]

    asyncio.run(scenario())


def test_one_that_is_carried_on_and_broken_off_in_turn_is_carried_on_again(store: Store) -> None:
    async def scenario() -> None:
        shop = Shop(store)
        shop.stopped("db")
        shop.stopped("web")
        shop.restarts.recover()
        await asyncio.sleep(0)

        shop.turns.end("shop")  # as `kill` does, which takes no turn
        shop.restarts.call_off("shop", ("web",))
        await asyncio.sleep(0)
        shop.go_on.set()
        await shop.rest()

        assert shop.started == ["db"]

    asyncio.run(scenario())


def test_after_a_reboot_only_a_policy_starts_what_a_restart_has_stopped(store: Store) -> None:
    async def scenario() -> None:
        shop = Shop(store)
        shop.go_on.set()
        for policy in ("no", "on-failure", "always", "unless-stopped"):
            shop.stopped(policy, "another boot", policy)

        shop.restarts.recover()
        await shop.rest()

        assert shop.started == ["always", "unless-stopped"]
        assert not shop.restarts.begun("shop")

    asyncio.run(scenario())
