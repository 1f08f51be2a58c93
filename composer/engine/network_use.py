"""Who is at a network: several projects may use it, make it at once, and one of them remove it while another starts on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

from composer.engine.records import ContainerRecord


class NetworkUse:
    """Turns at networks, and the containers that will run on them in a moment."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._starting: set[str] = set()

    def turn(self, network_id: str) -> asyncio.Lock:
        """Held while a network is made or removed."""
        return self._turns.setdefault(network_id, asyncio.Lock())

    def is_starting(self, container_id: str) -> bool:
        """Whether a container is being started, and not on record as running yet."""
        return container_id in self._starting

    @contextlib.asynccontextmanager
    async def starting(self, record: ContainerRecord) -> AsyncIterator[None]:
        """A container is being started: nobody begins to remove its networks, and who is at that comes to the end first."""
        self._starting.add(record.id)
        try:
            for endpoint in record.endpoints.values():
                async with self.turn(endpoint.network):
                    pass
            yield
        finally:
            self._starting.discard(record.id)
