"""The networks of RUN steps: one of their own, like a service's, with an uplink; or one of the project's.

Their own is there while builds run and shortly after. A project's is made if it is not there, and stays, as if `up` had made it.

A step has an address of its own on it for as long as it runs. Its name answers to nobody: steps do not find each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from composer.engine.plan import CreateNetwork
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.world import Attachment, ContainerConfig, DesiredNetwork
from composer.errors import ComposerError
from composer.keeper.steps import Step

log = logging.getLogger("composer.engine")

NAME = "composer_build"
_STEP = "build"
"""What stands for a service in the leases of steps, which are no project's."""
_KEPT = 10.0
"""Seconds that the network stays for the next build: making one takes longer than a step."""


@dataclass(frozen=True, slots=True)
class Place:
    """A step's place on the network: what its start needs."""

    record: ContainerRecord
    fds: dict[str, int]
    steps: tuple[Step, ...]
    gateway: str
    """How it reaches this machine."""


@dataclass(slots=True)
class Uplink:
    """Gives places; one for the whole engine."""

    rooms: Rooms
    _offered: dict[str, tuple[DesiredNetwork, str]] = field(default_factory=dict)
    _users: int = 0
    _leaving: asyncio.TimerHandle | None = None
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def offer(self, network: DesiredNetwork, project: str) -> None:
        """Steps may ask for this network: what it is to be like, and whose."""
        self._offered[network.name] = (network, project)

    @contextlib.asynccontextmanager
    async def place(self, step: str, network: str = "") -> AsyncIterator[Place]:
        """A place for the step with this id on a network by name, "" for that of builds; given back at the end.

        Raises HostError where there is no network, ContainerError where no such network is known.
        """
        networks = self.rooms.networks
        async with self._there(network) if network else self._present():
            config = ContainerConfig(image="", image_id="", arguments=(), networks=(Attachment(network or NAME),))
            record = ContainerRecord(step, step, "", _STEP, 0, config, "", one_off=True)
            record = replace(record, endpoints=networks.lease(record))
            ours: list[int] = []
            try:
                fds, steps, ours = networks.attach(record)
                yield Place(record, fds, steps, networks.host_gateway(record))
            finally:
                for fd in ours:
                    os.close(fd)
                networks.release(record)
                with contextlib.suppress(ComposerError):
                    await networks.withdraw(record)

    @contextlib.asynccontextmanager
    async def _there(self, name: str) -> AsyncIterator[None]:
        if name in self._offered:
            async with self._changing:
                network, project = self._offered[name]
                await self.rooms.networks.create(CreateNetwork(network), project)
        yield

    @contextlib.asynccontextmanager
    async def _present(self) -> AsyncIterator[None]:
        self._users += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        try:
            async with self._changing:
                await self.rooms.networks.create(CreateNetwork(DesiredNetwork(NAME, NAME)), "")
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._leaving = asyncio.get_running_loop().call_later(_KEPT, self._leave)

    async def clear(self) -> None:
        """After a start of the engine: take away what one that died has left, addresses of its steps too."""
        store = self.rooms.store
        store.drop_leases([lease for lease in store.leases if not lease.project and lease.service == _STEP])
        await self._remove()

    def close(self) -> None:
        """Leave the network of builds where it is: it is another engine's, or goes with everything."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _leave(self) -> None:
        task = asyncio.create_task(self._remove())
        self.rooms.background.append(task)
        task.add_done_callback(self.rooms.background.remove)

    async def _remove(self) -> None:
        async with self._changing:
            if not self._users:
                try:
                    await self.rooms.networks.remove(NAME)
                except ComposerError as error:
                    log.warning("cannot remove the network of builds: %s", error.message)
