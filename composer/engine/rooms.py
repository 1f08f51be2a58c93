"""What the acting half of the engine works with, put together once by `server.wiring`."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from composer.clock import Clock
from composer.engine.bus import Bus
from composer.engine.keeping import Keeping
from composer.engine.networking import Networking
from composer.engine.store import Store
from composer.image.store import Store as Images
from composer.paths import Paths
from composer.runtime.cgroup import Cgroups
from composer.runtime.facts import HostFacts
from composer.volume.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Rooms:
    """The real things, by the room they come from."""

    paths: Paths
    clock: Clock
    store: Store
    bus: Bus
    keeping: Keeping
    images: Images
    volumes: Volumes
    networks: Networking
    cgroups: Cgroups
    facts: HostFacts
    notes: list[str] = field(default_factory=list)
    """What this machine cannot do, each told once and shown by `compose engine status`."""
    reading: Counter[str] = field(default_factory=Counter)
    """How many clients read the output of a container: its log is not removed under them."""
    background: list[asyncio.Task[None]] = field(default_factory=list)
    """Work that nobody waits for, held so that it is not collected while it runs."""
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def lock_of(self, container: str) -> asyncio.Lock:
        """Held while a container is started or removed, or its end is recorded: one comes to its end before the next."""
        return self._locks.setdefault(container, asyncio.Lock())

    def turn_of(self, volume: str) -> asyncio.Lock:
        """Held while a volume is made or removed: several projects may use it."""
        return self._locks.setdefault(f"volume/{volume}", asyncio.Lock())
