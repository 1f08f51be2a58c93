"""Published ports as the store has them: served from the moment they are there, given back when they go.

As root the kernel itself leads connections from this host into the network, past the data plane.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import chain

from composer.errors import ComposerError, ContainerError
from composer.network import host, items, ports
from composer.network.needs import Jobs, Store
from composer.network.spec import Facts
from composer.network.uplinks import uplink_of

_FREED_LOOKS, _FREED_PAUSE = 100, 0.005
"""How often and how many seconds apart we look whether all have let go of a UDP port."""


class Publishing:
    """All published ports of one engine."""

    def __init__(self, jobs: Jobs, store: Store, facts: Facts) -> None:
        self._jobs = jobs
        self._store = store
        self._facts = facts

    @property
    def forwards(self) -> Iterator[host.Forward]:
        """What the kernel itself could lead into networks."""
        return filter(None, map(self._forward, self._ports()))

    async def publish(
        self,
        container_id: str,
        network_id: str,
        target: IPv4Address,
        target_port: int,
        protocol: str,
        opened: ports.Listening,
    ) -> None:
        """Serve an opened port from now on; the store has its sockets then. `opened` is closed, whatever happens.

        Raises ContainerError where the network is gone. As root, connections from this host are led there by the kernel itself.
        """
        with contextlib.closing(opened):
            if items.netns_name(network_id) not in self._store.store:
                raise ContainerError("its network is gone", hint="`compose up` makes it again")
            netns = self._store.store[items.netns_name(network_id)].fds[0]
            for host_ip, sock in opened.sockets:
                port = items.Port(container_id, protocol, host_ip, opened.port, network_id, target, target_port)
                port = replace(port, via=self._free_via(port))
                await self._store.put(port.name, port.meta, (sock.fileno(), netns))
                if forward := self._forward(port):
                    fds = {items.netns_name(network_id): netns}
                    await self._jobs.run(host.publish_steps(self._facts, forward, network_id), fds=fds)

    async def withdraw(self, container_id: str) -> None:
        """Close every published port of a container; none is fine. Raises ComposerError, and they are closed nevertheless."""
        await self._withdraw([port for port in self._ports() if port.container_id == container_id])

    async def withdraw_network(self, network_id: str) -> None:
        """Close every port that leads into a network, as `withdraw` does."""
        await self._withdraw([port for port in self._ports() if port.network_id == network_id])

    def holds(self, container_id: str) -> bool:
        """Whether any published port of a container is held."""
        return any(port.container_id == container_id for port in self._ports())

    async def _withdraw(self, published: Iterable[items.Port]) -> None:
        failures: list[ComposerError] = []
        for port in published:
            try:
                await self._undo_forward(port)
            except ComposerError as error:
                failures.append(error)
            await self._close(port)
        if failures:
            raise failures[0]

    async def _undo_forward(self, port: items.Port) -> None:
        if forward := self._forward(port):
            name = items.netns_name(port.network_id)
            fds = {name: self._store.store[name].fds[0]}
            await self._jobs.run(host.withdraw_steps(self._facts, forward, port.network_id), fds=fds)

    async def _close(self, port: items.Port) -> None:
        if held := self._store.store.get(port.name):
            ports.close_for_all(held.fds[0], port.protocol)
        await self._store.drop(port.name)
        for _ in range(_FREED_LOOKS if port.protocol == "udp" else 0):
            if ports.is_free(port.host_ip, port.host_port):
                break
            await asyncio.sleep(_FREED_PAUSE)

    def _ports(self) -> list[items.Port]:
        held = self._store.store.items()
        return [items.Port.read(name, item.meta) for name, item in held if name.startswith("port/")]

    def _free_via(self, port: items.Port) -> int:
        place = (port.network_id, port.protocol)
        used = {
            other.via
            for other in self._ports()
            if (other.network_id, other.protocol) == place and other.name != port.name
        }
        candidates = chain(range(port.host_port, 65536), range(1, port.host_port))
        return next((candidate for candidate in candidates if candidate not in used), 0)

    def _forward(self, port: items.Port) -> host.Forward | None:
        """How the kernel itself could lead there: not to networks without uplink, and not by IPv6."""
        uplink = uplink_of(port.network_id, self._store)
        if uplink is None or not port.via or ":" in port.host_ip:
            return None
        address = IPv4Address(port.host_ip)
        host_ip = address if int(address) else None
        return host.Forward(port.protocol, host_ip, port.host_port, uplink, port.target, port.target_port, port.via)
