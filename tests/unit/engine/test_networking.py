"""Networks taken up again by an engine whose keeper died too, and networks that several projects are at."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from composer.engine.networking import Networking
from composer.engine.plan import CreateNetwork
from composer.engine.records import ContainerRecord, Endpoint
from composer.engine.store import Store
from composer.engine.world import DesiredNetwork
from composer.errors import ContainerError, HostError
from composer.network.driver import Networks
from composer.network.spec import NetworkSpec
from tests.unit.engine.shop import config


@dataclass
class Driver:
    """As much of a driver as answers names; it fails where it is told to."""

    fails: bool = False
    opened: list[int] = field(default_factory=list)
    served: list[str] = field(default_factory=list)

    def serves_names(self, _container: str) -> bool:
        return False

    def alive(self, _network: str) -> bool:
        return False

    async def reopen_resolver(self, container: str, _pid: int) -> dict[str, int]:
        self.opened = list(os.pipe())
        return {f"dns/{container}/udp": self.opened[0], f"dns/{container}/tcp": self.opened[1]}

    async def serve_names(self, container: str, _reported: Mapping[str, int], *_: Sequence[str]) -> None:
        if self.fails:
            raise HostError("no keeper")
        self.served.append(container)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.db")
    yield store
    store.close()


@pytest.mark.parametrize("fails", [False, True])
def test_resolver_sockets_that_were_opened_again_are_the_keepers_alone(store: Store, fails: bool) -> None:
    driver = Driver(fails)
    networking = Networking(store, cast(Networks, driver))
    endpoints = {"p_default": Endpoint("n1", "172.30.0.2", "02:42:00:00:00:01")}
    running = ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "", endpoints=endpoints)
    try:
        asyncio.run(networking.restore(running))
    except HostError:
        assert fails

    assert driver.served == ([] if fails else [running.id])
    for fd in driver.opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


class SlowDriver(Driver):
    """Networks that take until they are let go on, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.there: set[str] = set()
        self.at_work = 0
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    def alive(self, network: str) -> bool:
        return network in self.there

    async def create(self, spec: NetworkSpec) -> None:
        async with self._working():
            self.there.add(spec.id)

    async def remove(self, network: str) -> None:
        async with self._working():
            self.there.discard(network)

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        assert not self.at_work, "a network is made or removed by two at once"
        self.at_work += 1
        self.begun.set()
        try:
            await self.go_on.wait()
            yield
        finally:
            self.at_work -= 1


CREATE = CreateNetwork(DesiredNetwork("shared", "shared"))


def test_a_network_of_several_projects_is_made_by_one_at_a_time(store: Store) -> None:
    async def scenario() -> None:
        driver = SlowDriver()
        networking = Networking(store, cast(Networks, driver))
        making = [asyncio.create_task(networking.create(CREATE, project)) for project in ("one", "other")]
        await asyncio.sleep(0.01)
        driver.go_on.set()
        await asyncio.gather(*making)

        assert driver.there == {record.id for record in store.networks}

    asyncio.run(scenario())


def test_a_network_that_is_made_while_another_project_removes_it_is_there(store: Store) -> None:
    async def scenario() -> None:
        driver = SlowDriver()
        networking = Networking(store, cast(Networks, driver))
        driver.go_on.set()
        await networking.create(CREATE, "one")
        driver.go_on.clear()
        changing = [
            asyncio.create_task(networking.remove("shared")),
            asyncio.create_task(networking.create(CREATE, "o")),
        ]
        await asyncio.sleep(0.01)
        driver.go_on.set()
        await asyncio.gather(*changing)

        assert [record.project for record in store.networks] == ["o"]
        assert driver.there == {record.id for record in store.networks}

    asyncio.run(scenario())


@pytest.mark.parametrize("what", ["create", "remove"])
def test_a_network_that_is_being_changed_is_so_to_the_end_whoever_gives_up(store: Store, what: str) -> None:
    async def scenario() -> None:
        driver = SlowDriver()
        networking = Networking(store, cast(Networks, driver))
        if what == "remove":
            driver.go_on.set()
            await networking.create(CREATE, "one")
            driver.go_on.clear()
            driver.begun.clear()
        changing = asyncio.create_task(
            networking.create(CREATE, "one") if what == "create" else networking.remove("shared")
        )
        await driver.begun.wait()
        for _ in range(2):
            changing.cancel()
            await asyncio.sleep(0)
        driver.go_on.set()
        await asyncio.wait([changing])

        assert changing.cancelled()
        assert driver.there == {record.id for record in store.networks}
        assert len(driver.there) == (what == "create")

    asyncio.run(scenario())


def test_a_network_is_not_removed_under_a_container_of_another_project_that_starts(store: Store) -> None:
    async def scenario() -> None:
        driver = SlowDriver()
        driver.go_on.set()
        networking = Networking(store, cast(Networks, driver))
        await networking.create(CREATE, "one")
        (network,) = store.networks
        endpoints = {"shared": Endpoint(network.id, "172.30.0.2", "02:42:00:00:00:01")}
        record = ContainerRecord("c1", "other-web-1", "other", "web", 1, config(), "", endpoints=endpoints)
        store.containers.put("c1", record)

        async with networking.use.starting(record):
            with pytest.raises(ContainerError, match="`other-web-1` run on it"):
                await networking.remove("shared")
        assert networking.alive(network.id)

        driver.go_on.clear()
        driver.begun.clear()
        removing = asyncio.create_task(networking.remove("shared"))
        await driver.begun.wait()
        starting = asyncio.create_task(starts(networking, record))
        await asyncio.sleep(0.01)
        driver.go_on.set()
        with pytest.raises(ContainerError, match="does not exist"):
            await starting
        await removing

    asyncio.run(scenario())


async def starts(networking: Networking, record: ContainerRecord) -> None:
    async with networking.use.starting(record):
        networking.attach(record)
