"""The networks of one engine: made, found again, published from and taken down. Every call may be repeated.

What must outlive the engine - namespaces, sockets - is put into the keeper's store, and what the store has is the truth:
a new engine calls `adopt` and goes on. Namespaces are changed only by children of the keeper, through `Jobs`.

The host is touched only while a network with an uplink exists. What `net.ipv4.ip_forward` was before is written down
first, in a file that lasts until the machine is booted again, as the setting does. All engines of a machine share it: the
one that takes the last table away puts the setting back.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from composer.errors import ComposerError, ContainerError
from composer.keeper.steps import Step
from composer.kernel import clone
from composer.network import firewall, host, ipam, items, legacy, nftables, ports, routes, topology
from composer.network.spec import Facts, Interface, NetworkSpec

_NS_GET_NSTYPE = 0xB703
"""`ioctl_ns(2)`: which kind of namespace a descriptor is of."""

_SLOT_TRIES = 8
_FREED_LOOKS, _FREED_PAUSE = 100, 0.005
"""How often and how many seconds apart we look whether all have let go of a UDP port."""


class Jobs(Protocol):
    """Performs steps in a child of the keeper."""

    async def run(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """The descriptors that were reported, now the caller's. Raises ContainerError with the step that failed."""


class Held(Protocol):
    """What a store has under a name."""

    @property
    def meta(self) -> Mapping[str, Any]: ...

    @property
    def fds(self) -> Sequence[int]: ...


class Store(Protocol):
    """The keeper's store, as its client in the engine offers it."""

    @property
    def store(self) -> Mapping[str, Held]:
        """What is held now, by name."""

    async def put(self, name: str, meta: dict[str, Any], fds: Sequence[int]) -> None:
        """Hold duplicates of these from now on, in place of what had the name."""

    async def drop(self, name: str) -> None:
        """Let go of what has the name; nothing there is fine."""


class Networks:
    """What the engine calls; `host` is a descriptor of the host's network namespace, its own by default."""

    def __init__(self, jobs: Jobs, store: Store, facts: Facts) -> None:
        self._jobs = jobs
        self._store = store
        self._facts = facts
        self._host = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._lock = asyncio.Lock()
        self._reserved: set[int] = set()
        self._host_ready = False
        self._making = 0
        """Networks with an uplink that are being made: the host's table stays."""

    def close(self) -> None:
        """Let go of the host's namespace; networks stay."""
        os.close(self._host)

    def alive(self, network_id: str) -> bool:
        """Whether the network's namespace is there."""
        return items.netns_name(network_id) in self._store.store

    def uplink(self, network_id: str) -> topology.Uplink | None:
        """The network's uplink, if it is there and has one; its `host.ip` is how containers reach this machine."""
        held = self._store.store.get(items.netns_name(network_id))
        slot = held.meta.get("uplink") if held else None
        return None if slot is None else topology.Uplink(int(slot))

    def relays(self, network_id: str) -> bool:
        """Whether what the network's containers send to the outside is relayed: its gateway then stands for this machine."""
        return items.out_name(network_id, "tcp") in self._store.store

    async def adopt(self, networks: Iterable[str]) -> None:
        """After a start of the engine: find what is there, and make the host's table say what the store says.

        `networks` are the ids on record: those of them that are pinned but not held are taken up again.
        """
        for network_id in networks:
            await self._take_up(network_id)
        async with self._lock:
            if self._has_uplinks():
                await self._prepare_host()
            else:
                await self._release_host()

    async def create(self, spec: NetworkSpec) -> None:
        """Make the network; one that is there is left as it is.

        Raises ContainerError or HostError when it cannot be made; then nothing of it is left.
        """
        if self.alive(spec.id) or await self._take_up(spec.id):
            return
        if not (self._facts.privileged and spec.uplink) or spec.internal:
            await self._make(spec, None)
            return
        self._making += 1
        try:
            # Side by side, and first what takes the kernel longer: the keeper clones one child after the other.
            network, host = await asyncio.gather(self._make_uplinked(spec), self._ready_host(), return_exceptions=True)
            if failure := network or host:
                with contextlib.suppress(ComposerError):
                    await self.remove(spec.id)
                raise failure
        finally:
            self._making -= 1

    def obstacle(self) -> str:
        """What keeps containers from the outside though they have an uplink, a sentence with what to do; "" for nothing."""
        if not self._facts.privileged:
            return ""
        try:
            if chain := firewall.refusing(topology.UPLINKS):
                return _told(f"chain `{chain}`", *_let_through(chain))
            if legacy.refuses(topology.UPLINKS):
                links = topology.UPLINKS.replace("*", "+")
                accept = f"`iptables-legacy -I FORWARD -i {links} -j ACCEPT`"
                back = f"`iptables-legacy -I FORWARD -o {links} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`"
                return _told("chain `FORWARD` of `iptables-legacy`", accept, back)
        except OSError:
            pass  # nobody says what it has
        return ""

    async def remove(self, network_id: str) -> None:
        """Remove the network with everything in it; one that is gone is fine. The last uplink takes the host's table along."""
        if uplink := self.uplink(network_id):
            self._reserved.discard(uplink.slot)
        for port in self._ports():
            if port.network_id == network_id:
                await self._withdraw(port)
        for name in (*(items.out_name(network_id, one) for one in nftables.PROTOCOLS), items.zone_name(network_id)):
            await self._store.drop(name)
        await self._store.drop(items.netns_name(network_id))
        # Side by side: letting go of a mount, and changing the host's rules, take the kernel several milliseconds each.
        outcomes = await asyncio.gather(self._unpin(network_id), self._release_unused_host(), return_exceptions=True)
        if failure := outcomes[0] or outcomes[1]:
            raise failure

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
            if not self.alive(network_id):
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
        """Close every published port of a container; none is fine."""
        for port in self._ports():
            if port.container_id == container_id:
                await self._withdraw(port)

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

    def published(self, container_id: str) -> bool:
        """Whether any published port of a container is held."""
        return any(port.container_id == container_id for port in self._ports())

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
        await self.withdraw(container_id)
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
        """The descriptors that `topology.attach_steps` needs, by name; they stay the store's."""
        names = [items.netns_name(network_id) for network_id in network_ids]
        return {name: self._store.store[name].fds[0] for name in names}

    async def _ready_host(self) -> None:
        async with self._lock:
            if not self._host_ready:
                await self._prepare_host()

    async def _make_uplinked(self, spec: NetworkSpec) -> None:
        first = zlib.crc32(f"{self._facts.engine_id}/{spec.id}".encode())
        for attempt in range(_SLOT_TRIES):
            used = {*self._reserved, *_slots_in_use()}
            slot = ipam.free_slot(used, topology.UPLINK_SLOTS, first % topology.UPLINK_SLOTS)
            self._reserved.add(slot)
            try:
                await self._make(spec, topology.Uplink(slot))
            except ContainerError as error:
                # Another engine chose the same slot in this moment; it stays reserved, so that the next one is tried.
                if error.errno not in (errno.EBUSY, errno.EEXIST) or attempt == _SLOT_TRIES - 1:
                    self._reserved.discard(slot)
                    raise
            else:
                return

    async def _make(self, spec: NetworkSpec, uplink: topology.Uplink | None) -> None:
        if path := topology.pin_path(self._facts, spec.id):
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        steps = topology.network_steps(spec, self._facts, uplink)
        reported = await self._jobs.run(steps, clone=("net",), fds={topology.HOST: self._host} if uplink else {})
        netns = reported[items.netns_name(spec.id)]
        for protocol in nftables.PROTOCOLS:
            if (sock := reported.get(name := items.out_name(spec.id, protocol))) is not None:
                await self._store.put(name, items.out(spec.gateway), (sock, netns))
                os.close(sock)
        await self._hold(spec.id, netns, uplink)

    async def _take_up(self, network_id: str) -> bool:
        """Hold a namespace again that is pinned but was lost with a keeper; whether there was one."""
        path = topology.pin_path(self._facts, network_id)
        if not path or self.alive(network_id):
            return False
        try:
            netns = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        if not _is_netns(netns):
            os.close(netns)
            return False
        await self._hold(network_id, netns, _uplink_by_link(network_id))
        return True

    async def _hold(self, network_id: str, netns: int, uplink: topology.Uplink | None) -> None:
        if uplink:
            self._reserved.add(uplink.slot)
        try:
            await self._store.put(items.netns_name(network_id), {"uplink": uplink.slot} if uplink else {}, (netns,))
        finally:
            os.close(netns)

    async def _withdraw(self, port: items.Port) -> None:
        if forward := self._forward(port):
            name = items.netns_name(port.network_id)
            fds = {name: self._store.store[name].fds[0]}
            await self._jobs.run(host.withdraw_steps(self._facts, forward, port.network_id), fds=fds)
        if held := self._store.store.get(port.name):
            ports.close_for_all(held.fds[0], port.protocol)
        await self._store.drop(port.name)
        for _ in range(_FREED_LOOKS if port.protocol == "udp" else 0):
            if ports.is_free(port.host_ip, port.host_port, port.protocol):
                break
            await asyncio.sleep(_FREED_PAUSE)

    async def _prepare_host(self) -> None:
        before = self._record_forwarding()
        forwards = filter(None, map(self._forward, self._ports()))
        await self._jobs.run(host.host_steps(self._facts, forwards, closed=before == "0"))
        self._host_ready = True

    async def _release_host(self) -> None:
        if not self._facts.privileged or host.host_table(self._facts) not in firewall.tables():
            return
        await self._jobs.run(host.host_teardown_steps(self._facts))
        self._host_ready = False
        record = Path(self._facts.forwarding_record)
        if record.exists() and not any(name.startswith(host.TABLES) for name in firewall.tables()):
            await self._jobs.run(host.forwarding_steps(record.read_text()))
            record.unlink(missing_ok=True)

    async def _unpin(self, network_id: str) -> None:
        if steps := topology.remove_steps(network_id, self._facts):
            await self._jobs.run(steps)

    async def _release_unused_host(self) -> None:
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

    def _has_uplinks(self) -> bool:
        return any(self.uplink(network) for network in self._present())

    def _present(self) -> list[str]:
        return [name.removeprefix("netns/") for name in self._store.store if name.startswith("netns/")]

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
        uplink = self.uplink(port.network_id)
        if uplink is None or not port.via or ":" in port.host_ip:
            return None
        address = IPv4Address(port.host_ip)
        host_ip = address if int(address) else None
        return host.Forward(port.protocol, host_ip, port.host_port, uplink, port.target, port.target_port, port.via)


def _slots_in_use() -> set[int]:
    """The slots of every engine's uplinks on this machine."""
    first = int(topology.UPLINK_BLOCK.network_address)
    inside = [route for route in routes.host_routes() if route.subnet_of(topology.UPLINK_BLOCK)]
    return {(int(route.network_address) - first) // 2 for route in inside}


def _uplink_by_link(network_id: str) -> topology.Uplink | None:
    """The uplink of a network whose record was lost: the index of its link is its slot."""
    index = routes.links("cu").get(topology.uplink_name(network_id))
    return None if index is None else topology.Uplink(index - topology.FIRST_UPLINK_INDEX)


def _is_netns(fd: int) -> bool:
    try:
        return fcntl.ioctl(fd, _NS_GET_NSTYPE) == clone.CLONE_NEWNET
    except OSError:  # an ordinary file: the pin was made, the mount was not
        return False


def _told(where: str, *commands: str) -> str:
    return (
        f"the firewall of this machine drops what it forwards ({where}, as Docker, ufw and firewalld have it): "
        f"containers do not reach the outside; published ports work. To let them: {' and '.join(commands)}"
    )


def _let_through(chain: firewall.Chain) -> tuple[str, str]:
    """The commands after which a chain lets what comes from our uplinks pass, and the answers to it."""
    links = topology.UPLINKS
    if chain.table == "firewalld":
        zone = f"firewall-cmd --permanent --zone=trusted --add-interface={links.replace('*', '+')}"
        return f"`{zone}`", "`firewall-cmd --reload`"
    return (
        f'`nft insert rule {chain} iifname "{links}" accept`',
        f'`nft insert rule {chain} oifname "{links}" ct state established,related accept`',
    )
