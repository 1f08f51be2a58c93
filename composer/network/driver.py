"""The networks of one engine: made, found again, published from and taken down. Every call may be repeated.

What must outlive the engine - namespaces, sockets - is put into the keeper's store, and what the store has is the truth:
a new engine calls `adopt` and goes on. Namespaces are changed only by children of the keeper, through `Jobs`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from composer.errors import ComposerError, ContainerError
from composer.keeper.steps import Step
from composer.kernel import clone
from composer.network import items, nftables, routes, topology
from composer.network.needs import Jobs, Store
from composer.network.obstacle import obstacle
from composer.network.publishing import Publishing
from composer.network.spec import Facts, Interface, NetworkSpec
from composer.network.uplinks import Uplinks, uplink_of

_NS_GET_NSTYPE = 0xB703
"""`ioctl_ns(2)`: which kind of namespace a descriptor is of."""


class Networks:
    """What the engine calls; `host` is a descriptor of the host's network namespace, its own by default."""

    def __init__(self, jobs: Jobs, store: Store, facts: Facts) -> None:
        self._jobs = jobs
        self._store = store
        self._facts = facts
        self._host = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.ports = Publishing(jobs, store, facts)
        self._uplinks = Uplinks(jobs, store, facts, lambda: self.ports.forwards)

    def close(self) -> None:
        """Let go of the host's namespace; networks stay."""
        os.close(self._host)

    def alive(self, network_id: str) -> bool:
        """Whether the network's namespace is there."""
        return items.netns_name(network_id) in self._store.store

    def uplink(self, network_id: str) -> topology.Uplink | None:
        """The network's uplink, if it is there and has one; its `host.ip` is how containers reach this machine."""
        return uplink_of(network_id, self._store)

    def relays(self, network_id: str) -> bool:
        """Whether what the network's containers send to the outside is relayed: its gateway then stands for this machine."""
        return items.out_name(network_id, "tcp") in self._store.store

    async def adopt(self, networks: Iterable[str]) -> None:
        """After a start of the engine: find what is there, and make the host's table say what the store says.

        `networks` are the ids on record: those of them that are pinned but not held are taken up again.
        """
        for network_id in networks:
            await self._take_up(network_id)
        await self._uplinks.adopt()

    async def create(self, spec: NetworkSpec) -> None:
        """Make the network; one that is there is left as it is.

        Raises ContainerError or HostError when it cannot be made; then nothing of it is left.
        """
        if self.alive(spec.id) or await self._take_up(spec.id):
            return
        if not (self._facts.privileged and spec.uplink) or spec.internal:
            await self._make(spec, None)
            return
        with self._uplinks.making():
            # Side by side, and first what takes the kernel longer: the keeper clones one child after the other.
            network, host = await asyncio.gather(
                self._uplinks.choose(spec.id, lambda uplink: self._make(spec, uplink)),
                self._uplinks.ready_host(),
                return_exceptions=True,
            )
            if failure := network or host:
                with contextlib.suppress(ComposerError):
                    await self.remove(spec.id)
                raise failure

    def obstacle(self) -> str:
        """What keeps containers from the outside though they have an uplink, a sentence with what to do; "" for nothing."""
        return obstacle() if self._facts.privileged else ""

    async def remove(self, network_id: str) -> None:
        """Remove the network with everything in it; one that is gone is fine. The last uplink takes the host's table along."""
        if uplink := self.uplink(network_id):
            self._uplinks.free(uplink)
        await self.ports.withdraw_network(network_id)
        for name in (*(items.out_name(network_id, one) for one in nftables.PROTOCOLS), items.zone_name(network_id)):
            await self._store.drop(name)
        await self._store.drop(items.netns_name(network_id))
        # Side by side: letting go of a mount takes the kernel several milliseconds.
        outcomes = await asyncio.gather(
            self._unpin(network_id), self._uplinks.release_unused_host(), return_exceptions=True
        )
        if failure := outcomes[0] or outcomes[1]:
            raise failure

    async def set_zone(self, network_id: str, network: str, records: Iterable[items.Record], *, internal: bool) -> None:
        """Say which names there are on a network; a zone that is the same already costs nothing."""
        name, meta = items.zone_name(network_id), items.zone(network, records, internal=internal)
        held = self._store.store.get(name)
        if held is None or dict(held.meta) != meta:
            await self._store.put(name, meta, ())

    async def serve_names(
        self,
        container_id: str,
        reported: Mapping[str, int],
        networks: Sequence[str],
        search: Sequence[str] = (),
        upstream: Sequence[str] = (),
    ) -> None:
        """Answer DNS on the sockets that a container's init reported, by the names of these networks in order.

        `upstream` are asked for what is not there, the host's own resolvers if there are none. The reported descriptors
        stay the caller's to close.
        """
        name = items.dns_name(container_id)
        await self._store.put(
            name, items.dns(networks, search, upstream), (reported[f"{name}/udp"], reported[f"{name}/tcp"])
        )

    def serves_names(self, container_id: str) -> bool:
        """Whether a container's resolver sockets are held."""
        return items.dns_name(container_id) in self._store.store

    async def reopen_resolver(self, container_id: str, pid: int) -> dict[str, int]:
        """New resolver sockets in the namespace of a running container's process, for `serve_names`; the caller's to close."""
        netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return await self._jobs.run(topology.resolver_steps(container_id, "netns/own"), fds={"netns/own": netns})
        finally:
            os.close(netns)

    async def release(self, container_id: str) -> None:
        """Let go of all that belongs to a container that has ended: ports and DNS. Its namespace dies with the last of it."""
        try:
            await self.ports.withdraw(container_id)
        finally:
            await self._store.drop(items.dns_name(container_id))

    def attach_steps(
        self,
        container_id: str,
        interfaces: Sequence[Interface],
        *,
        start: int = 0,
        silence: Iterable[tuple[str, str]] = (),
    ) -> tuple[Step, ...]:
        """`topology.attach_steps` as this engine may have them."""
        return topology.attach_steps(
            container_id, interfaces, start=start, silence=silence, pings=self._facts.privileged
        )

    def descriptors(self, network_ids: Iterable[str]) -> dict[str, int]:
        """The descriptors that `topology.attach_steps` needs, by name; they stay the store's.

        Raises ContainerError where a network is gone.
        """
        names = [items.netns_name(network_id) for network_id in network_ids]
        if not all(name in self._store.store for name in names):
            raise ContainerError("its network is gone", hint="`compose up` makes it again")
        return {name: self._store.store[name].fds[0] for name in names}

    async def _make(self, spec: NetworkSpec, uplink: topology.Uplink | None) -> None:
        if path := topology.pin_path(self._facts, spec.id):
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        steps = topology.network_steps(spec, self._facts, uplink)
        reported = await self._jobs.run(steps, clone=("net",), fds={topology.HOST: self._host} if uplink else {})
        netns = reported[items.netns_name(spec.id)]
        try:
            for protocol in nftables.PROTOCOLS:
                if (sock := reported.get(name := items.out_name(spec.id, protocol))) is not None:
                    await self._store.put(name, items.out(spec.gateway), (sock, netns))
            await self._hold(spec.id, netns, uplink)
        finally:
            for fd in reported.values():
                os.close(fd)

    async def _take_up(self, network_id: str) -> bool:
        """Hold a namespace again that is pinned but was lost with a keeper; whether there was one."""
        path = topology.pin_path(self._facts, network_id)
        if not path or self.alive(network_id):
            return False
        try:
            netns = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            if not _is_netns(netns):
                return False
            await self._hold(network_id, netns, _uplink_by_link(network_id))
        finally:
            os.close(netns)
        return True

    async def _hold(self, network_id: str, netns: int, uplink: topology.Uplink | None) -> None:
        if uplink:
            self._uplinks.reserve(uplink)
        await self._store.put(items.netns_name(network_id), {"uplink": uplink.slot} if uplink else {}, (netns,))

    async def _unpin(self, network_id: str) -> None:
        if steps := topology.remove_steps(network_id, self._facts):
            await self._jobs.run(steps)


def _uplink_by_link(network_id: str) -> topology.Uplink | None:
    """The uplink of a network whose record was lost: the index of its link is its slot."""
    index = routes.links("cu").get(topology.uplink_name(network_id))
    return None if index is None else topology.Uplink(index - topology.FIRST_UPLINK_INDEX)


def _is_netns(fd: int) -> bool:
    try:
        return fcntl.ioctl(fd, _NS_GET_NSTYPE) == clone.CLONE_NEWNET
    except OSError:  # an ordinary file: the pin was made, the mount was not
        return False
