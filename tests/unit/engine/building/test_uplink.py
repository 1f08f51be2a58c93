"""Places of RUN steps on a network, without a kernel that has one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from composer.engine.building import uplink as building
from composer.engine.building.uplink import NAME, Uplink
from composer.engine.networking import Networking
from composer.engine.store import Store
from composer.network.driver import Networks
from composer.network.spec import NetworkSpec
from tests.patience import until


class Driver:
    """Networks that are a file each."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}

    async def create(self, spec: NetworkSpec) -> None:
        self.there.setdefault(spec.id, os.open("/dev/null", os.O_RDONLY))

    async def remove(self, network: str) -> None:
        os.close(self.there.pop(network))

    def descriptors(self, networks: Iterable[str]) -> dict[str, int]:
        return {f"netns/{one}": self.there[one] for one in networks}

    def attach_steps(self, *_arguments: Any, **_options: Any) -> tuple[()]:
        return ()

    def alive(self, network: str) -> bool:
        return network in self.there

    def uplink(self, _network: str) -> None: ...

    def relays(self, _network: str) -> bool:
        return False

    async def release(self, _container: str) -> None: ...

    async def set_zone(self, *_arguments: Any, **_options: Any) -> None: ...


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.db")
    yield store
    store.close()


def test_a_step_that_has_ended_holds_no_network(store: Store) -> None:
    driver = Driver()
    networks = Networking(store, cast(Networks, driver))
    uplink = Uplink(cast(Any, SimpleNamespace(networks=networks, store=store, background=[])))

    async def scenario() -> None:
        async with uplink.place("step-1") as place:
            assert [os.fstat(fd) for fd in place.fds.values()]
            fds = list(place.fds.values())
        await networks.remove(NAME)

        for fd in fds:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(fd)

    asyncio.run(scenario())


@pytest.mark.parametrize("closes", [False, True])
def test_the_network_of_builds_goes_some_time_after_the_last_but_not_from_another_engine(
    store: Store, closes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_KEPT", 0.0)
    driver = Driver()
    networks = Networking(store, cast(Networks, driver))
    uplink = Uplink(cast(Any, SimpleNamespace(networks=networks, store=store, background=[])))

    async def scenario() -> None:
        async with uplink.place("step-1"):
            pass
        if closes:
            uplink.close()
            await asyncio.sleep(0.01)
            assert driver.there
            await networks.remove(NAME)
        else:
            await until(lambda: not driver.there)

    asyncio.run(scenario())
