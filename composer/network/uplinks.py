"""How networks leave the machine, as root: a link into each, and one table of ours in the host's firewall.

The host is touched only while a network with an uplink exists. What `net.ipv4.ip_forward` was before is written down
first, in a file that lasts until the machine is booted again, as the setting does. All engines of a machine share it: the
one that takes the last table away puts the setting back.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

from composer.errors import ContainerError
from composer.network import firewall, host, ipam, items, routes, topology
from composer.network.alone import alone
from composer.network.needs import Jobs, Store
from composer.network.spec import Facts

_SLOT_TRIES = 8


def uplink_of(network_id: str, store: Store) -> topology.Uplink | None:
    """The uplink of a network that is there and has one."""
    held = store.store.get(items.netns_name(network_id))
    slot = held.meta.get("uplink") if held else None
    return None if slot is None else topology.Uplink(int(slot))


class Uplinks:
    """The host's side of one engine's networks; `forwards` are the published ports that the host's table leads to."""

    def __init__(self, jobs: Jobs, store: Store, facts: Facts, forwards: Callable[[], Iterable[host.Forward]]) -> None:
        self._jobs = jobs
        self._store = store
        self._facts = facts
        self._forwards = forwards
        self._lock = asyncio.Lock()
        self._reserved: set[int] = set()
        self._host_ready = False
        self._making = 0
        """Networks with an uplink that are being made: the host's table stays."""

    @contextlib.contextmanager
    def making(self) -> Iterator[None]:
        """Keep the host's table meanwhile, whether a network has an uplink yet or not."""
        self._making += 1
        try:
            yield
        finally:
            self._making -= 1

    async def adopt(self) -> None:
        """Make the host's table say what the store says."""
        async with self._lock:
            if self._has_uplinks():
                await self._prepare_host()
            else:
                await self._release_host()

    async def ready_host(self) -> None:
        """Have the host's table there."""
        async with self._lock:
            if not self._host_ready:
                await self._prepare_host()

    async def choose(self, network_id: str, make: Callable[[topology.Uplink], Awaitable[None]]) -> None:
        """Call `make` with an uplink that nobody on this machine has; with another where it was taken meanwhile."""
        first = zlib.crc32(f"{self._facts.engine_id}/{network_id}".encode())
        for attempt in range(_SLOT_TRIES):
            used = {*self._reserved, *_slots_in_use()}
            slot = ipam.free_slot(used, topology.UPLINK_SLOTS, first % topology.UPLINK_SLOTS)
            self._reserved.add(slot)
            try:
                await make(topology.Uplink(slot))
            except ContainerError as error:
                # Another engine chose the same slot in this moment; it stays reserved, so that the next one is tried.
                if error.errno not in (errno.EBUSY, errno.EEXIST) or attempt == _SLOT_TRIES - 1:
                    self._reserved.discard(slot)
                    raise
            else:
                return

    def reserve(self, uplink: topology.Uplink) -> None:
        """Let no other network have it."""
        self._reserved.add(uplink.slot)

    def free(self, uplink: topology.Uplink) -> None:
        """It may be had again."""
        self._reserved.discard(uplink.slot)

    async def release_unused_host(self) -> None:
        """Take the host's table away after the last uplink."""
        async with self._lock:
            if not self._making and not self._has_uplinks():
                await self._release_host()

    def _record_forwarding(self) -> str:
        """What forwarding was before any engine of this machine set it, written down if it is not yet."""
        record = Path(self._facts.forwarding_record)
        draft = record.with_name(f"{record.name}.{os.getpid()}")
        draft.write_text(Path("/proc/sys/net/ipv4/ip_forward").read_text().strip())
        with contextlib.suppress(FileExistsError):
            record.hardlink_to(draft)  # complete or not there, and never twice
        draft.unlink()
        return record.read_text()

    async def _prepare_host(self) -> None:
        async with self._alone():
            before = self._record_forwarding()
            await self._jobs.run(host.host_steps(self._facts, self._forwards(), closed=before == "0"))
            self._host_ready = True

    async def _release_host(self) -> None:
        if not self._facts.privileged or host.host_table(self._facts) not in firewall.tables():
            return
        async with self._alone():
            await self._jobs.run(host.host_teardown_steps(self._facts))
            self._host_ready = False
            record = Path(self._facts.forwarding_record)
            if record.exists() and not any(name.startswith(host.TABLES) for name in firewall.tables()):
                await self._jobs.run(host.forwarding_steps(record.read_text()))
                record.unlink(missing_ok=True)

    def _alone(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Meanwhile no other engine of this machine sets forwarding, or puts it back."""
        return alone(Path(f"{self._facts.forwarding_record}.lock"))

    def _has_uplinks(self) -> bool:
        return any(uplink_of(network, self._store) for network in self._present())

    def _present(self) -> list[str]:
        return [name.removeprefix("netns/") for name in self._store.store if name.startswith("netns/")]


def _slots_in_use() -> set[int]:
    """The slots of every engine's uplinks on this machine."""
    first = int(topology.UPLINK_BLOCK.network_address)
    inside = [route for route in routes.host_routes() if route.subnet_of(topology.UPLINK_BLOCK)]
    return {(int(route.network_address) - first) // 2 for route in inside}
