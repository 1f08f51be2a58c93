"""Networks taken up again by an engine whose keeper died too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from composer.engine.networking import Networking
from composer.engine.records import ContainerRecord, Endpoint
from composer.engine.store import Store
from composer.errors import HostError
from composer.network.driver import Networks
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
