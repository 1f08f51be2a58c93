"""Networks as the engine keeps them: records, leases and published ports, over the driver of the network room.

A lease belongs to a place in a project (service and number on a network), not to a container: it lasts until `down`, so a
replaced container keeps its address. One-offs have leases of their own, which go with them.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from composer.engine.network_use import NetworkUse
from composer.engine.plan import CreateNetwork
from composer.engine.records import ContainerRecord, Endpoint, Lease, NetworkRecord, Published
from composer.engine.store import Store, lease_key
from composer.engine.world import Attachment, DesiredNetwork, Publish, State
from composer.errors import ComposerError, ContainerError, UsageError
from composer.keeper.steps import JoinNamespace, Step
from composer.network import ipam, items, resolv, routes, topology
from composer.network.driver import Networks
from composer.network.ports import open_published
from composer.network.spec import Interface, NetworkSpec
from composer.unbroken import whole

JOINED = "netns/joined"
"""The descriptor of another container's network namespace, for `network_mode: service:X`."""


@dataclass(slots=True)
class _Telling:
    """Who is on a network is told to one asker at a time; numbers of the askers say whom the last time covered."""

    asked: int = 0
    told: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Networking:
    """Makes and removes networks, and attaches containers to them; every method may be called again."""

    def __init__(self, store: Store, driver: Networks) -> None:
        self._store = store
        self._driver = driver
        self._choosing = asyncio.Lock()
        self._opening: dict[tuple[str, int], ContainerRecord] = {}
        """Who has just opened a port of this machine and is not on record with it yet."""
        self._links: dict[tuple[str, str], str] = {}
        """The link that had an address last, by network and address: it may still be dying when the next one comes."""
        self._tellings: dict[str, _Telling] = {}
        self.use = NetworkUse()

    def alive(self, network_id: str) -> bool:
        """Whether the namespace of a network is there."""
        return self._driver.alive(network_id)

    def obstacle(self) -> str:
        """What keeps containers from the outside, "" for nothing."""
        return self._driver.obstacle()

    async def create(self, operation: CreateNetwork, project: str) -> None:
        """Make a network, or the namespace of one on record.

        Raises:
            UsageError: the subnet or gateway asked for cannot be.
            HostError: no subnet is left, or the machine cannot make it.
        """
        await whole(self._create(operation.network, project))

    async def _create(self, network: DesiredNetwork, project: str) -> None:
        while True:
            async with self._choosing:
                record = self._store.network_named(network.name) or self._recorded(network, project)
            async with self.use.turn(record.id):
                if self._store.networks.get(record.id) is not None:  # another project may just have removed it
                    await self._driver.create(_spec(record))
                    return

    def _recorded(self, network: DesiredNetwork, project: str) -> NetworkRecord:
        used = [IPv4Network(other.subnet) for other in self._store.networks]
        subnet = ipam.choose_subnet(used, routes.host_routes(), network.subnet)
        record = NetworkRecord(
            id=secrets.token_hex(6),
            name=network.name,
            key=network.key,
            project=project,
            subnet=str(subnet),
            gateway=str(ipam.choose_gateway(subnet, network.gateway)),
            internal=network.internal,
            wanted_subnet=network.subnet,
            wanted_gateway=network.gateway,
            ip_range=network.ip_range,
            reserved=network.reserved,
            labels=network.labels,
        )
        self._store.networks.put(record.id, record)
        return record

    async def remove(self, name: str) -> None:
        """Remove a network with its leases. Raises ContainerError while a container runs on it, or is being started."""
        record = self._store.network_named(name)
        if record is not None:
            await whole(self._remove(record))

    async def _remove(self, record: NetworkRecord) -> None:
        async with self.use.turn(record.id):
            users = [
                container.name
                for container in self._store.containers
                if record.name in container.endpoints
                and (container.state is State.RUNNING or self.use.is_starting(container.id))
            ]
            if users:
                raise ContainerError(
                    f"cannot remove network `{record.name}`: {', '.join(f'`{user}`' for user in users)} run on it",
                    hint="stop them first; containers of other projects may use it as an external network",
                )
            await self._driver.remove(record.id)
            self._store.drop_leases(self._store.leases_on(record.id))
            self._store.networks.remove(record.id)
            self._tellings.pop(record.id, None)
            self._links = {key: link for key, link in self._links.items() if key[0] != record.id}

    async def dismantle(self) -> None:
        """Take down every namespace, keeping the records: the engine leaves, and the next `up` makes them again."""
        for record in self._store.networks:
            await self._driver.remove(record.id)

    async def adopt(self) -> None:
        """After a start of the engine: take up what is there."""
        await self._driver.adopt([record.id for record in self._store.networks])

    def lease(self, record: ContainerRecord) -> dict[str, Endpoint]:
        """The container's addresses by network name: those its place has already, new ones elsewhere.

        Raises:
            UsageError: an address asked for is taken or outside of the subnet, or two of its subnets overlap.
            HostError: a subnet is full.
        """
        endpoints: dict[str, Endpoint] = {}
        subnets: dict[str, IPv4Network] = {}
        for attachment in record.config.networks:
            network = self._network(attachment.network)
            subnets[network.name] = IPv4Network(network.subnet)
            place = (record.project, record.service, record.number, record.id if record.one_off else "")
            try:
                address = self._address(place, network, attachment)
            except UsageError as error:
                raise UsageError(
                    f"cannot attach `{record.name}` to `{network.name}`: {error}", hint=error.hint
                ) from error
            mac = attachment.mac_address or topology.mac_of(address)
            endpoints[network.name] = Endpoint(network.id, str(address), mac)
        ipam.check_disjoint(subnets)
        return endpoints

    def reserve(self, project: str, service: str, number: int, attachment: Attachment) -> str:
        """The address that a replica has, or will have, on a network; "" where there is no such network, or no place on it."""
        network = self._store.network_named(attachment.network)
        if network is None:
            return ""
        try:
            return str(self._address((project, service, number, ""), network, attachment))
        except ComposerError:
            return ""

    def release(self, record: ContainerRecord) -> None:
        """Give back the addresses of a one-off."""
        self._store.drop_leases([lease for lease in self._store.leases if lease.one_off == record.id])

    async def publish(self, record: ContainerRecord) -> tuple[Published, ...]:
        """Open every port of a container, or none.

        Raises:
            HostError: one is taken; the message names the holder.
        """
        if not record.config.ports or not record.endpoints:
            return ()
        endpoint = record.endpoints[self._first_network(record)]
        published: list[Published] = []
        try:
            for port in record.config.ports:
                try:
                    opened = open_published(port.host_ip, _host_ports(port), port.protocol, self._holder)
                except ComposerError as error:
                    error.attribute = ("ports", f"{port.target}/{port.protocol}")
                    error.hint = self._to_free(record.project, port) or error.hint
                    raise
                self._opening[port.protocol, opened.port] = record
                published += [
                    Published(host_ip, opened.port, port.target, port.protocol) for host_ip, _sock in opened.sockets
                ]
                await self._driver.ports.publish(
                    record.id, endpoint.network, IPv4Address(endpoint.address), port.target, port.protocol, opened
                )
        except BaseException:
            self.opened(record)
            await self._driver.ports.withdraw(record.id)
            raise
        return tuple(published)

    def opened(self, record: ContainerRecord) -> None:
        """The ports of `record` are on record now, or closed again."""
        self._opening = {key: other for key, other in self._opening.items() if other.id != record.id}

    def attach(self, record: ContainerRecord) -> tuple[dict[str, int], tuple[Step, ...], list[int]]:
        """What a start of `record` needs: descriptors by name, steps, and the descriptors that are the caller's to close."""
        if record.joined:
            partner = self._store.containers.get(record.joined)
            netns = os.open(f"/proc/{partner.pid if partner else 0}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            return {JOINED: netns}, (JoinNamespace(JOINED, "net"),), [netns]
        if record.config.network_mode == "host":
            return {}, (), []
        interfaces = self._interfaces(record)
        silence = [
            (one.network, link) for one in interfaces if (link := self._links.get((one.network, str(one.address.ip))))
        ]
        for position, one in enumerate(interfaces):
            key = (one.network, str(one.address.ip))
            self._links[key] = topology.link_name(record.id, position, record.starts)
        steps = self._driver.attach_steps(record.id, interfaces, start=record.starts, silence=silence)
        held = self._driver.descriptors([one.network for one in interfaces])
        # Our own: until the keeper has them a network may be removed, and its number be another file's.
        fds = {name: os.dup(fd) for name, fd in held.items()}
        return fds, steps, [*fds.values()]

    async def announce(self, record: ContainerRecord, reported: Mapping[str, int]) -> None:
        """The container runs: answer its DNS, and let others find it."""
        if not record.endpoints:
            return
        networks = [endpoint.network for endpoint in record.endpoints.values()]
        search = (*record.config.dns_search, *resolv.host_config().search)
        await self._driver.serve_names(record.id, reported, networks, search, record.config.dns)
        await self._refresh(networks)

    async def restore(self, record: ContainerRecord) -> None:
        """Open again what a running container has on record and nobody holds any more: keeper and engine died together.

        Raises ComposerError where that cannot be: a port was taken meanwhile, or the namespace is out of our reach.
        """
        if record.ports and not self._driver.ports.holds(record.id):
            endpoint = record.endpoints[self._first_network(record)]
            for one in record.ports:
                opened = open_published(one.host_ip, (one.host_port,), one.protocol, self._holder)
                address = IPv4Address(endpoint.address)
                await self._driver.ports.publish(record.id, endpoint.network, address, one.target, one.protocol, opened)
        if record.endpoints and not self._driver.serves_names(record.id):
            reported = await self._driver.reopen_resolver(record.id, record.pid)
            try:
                await self.announce(record, reported)
            finally:
                for fd in reported.values():
                    os.close(fd)

    async def withdraw(self, record: ContainerRecord) -> None:
        """The container has ended: close its ports and take its names back."""
        try:
            await self._driver.release(record.id)
        finally:
            await self._refresh([endpoint.network for endpoint in record.endpoints.values()])

    async def abandon(self, container: str) -> None:
        """Give back the ports of a container that does not run, whether there is a record of it or not."""
        await self._driver.ports.withdraw(container)

    def host_gateway(self, record: ContainerRecord) -> str:
        """How a container reaches this machine, "" where it cannot."""
        for name, endpoint in record.endpoints.items():
            if uplink := self._driver.uplink(endpoint.network):
                return str(uplink.host.ip)
            if self._driver.relays(endpoint.network):
                return self._network(name).gateway
        return ""

    def _network(self, name: str) -> NetworkRecord:
        record = self._store.network_named(name)
        if record is None:
            raise ContainerError(f"cannot attach to network `{name}`: it does not exist")
        return record

    def _address(self, place: tuple[str, str, int, str], network: NetworkRecord, attachment: Attachment) -> IPv4Address:
        leases = self._store.leases_on(network.id)
        held = next((one for one in leases if (one.project, one.service, one.number, one.one_off) == place), None)
        if held is not None:
            if attachment.ipv4_address in ("", held.address):
                return IPv4Address(held.address)
            self._store.drop_leases([held])
        used = {IPv4Address(one.address) for one in leases if one is not held}
        used |= {IPv4Address(address) for address in network.reserved if address != attachment.ipv4_address}
        pool = IPv4Network(network.ip_range) if network.ip_range else None
        gateway = IPv4Address(network.gateway)
        address = ipam.allocate(IPv4Network(network.subnet), gateway, used, attachment.ipv4_address, pool)
        lease = Lease(network.id, *place, str(address))
        self._store.leases.put(lease_key(lease), lease)
        return address

    def _interfaces(self, record: ContainerRecord) -> list[Interface]:
        first = self._first_network(record) if record.endpoints else ""
        interfaces = []
        for position, (name, endpoint) in enumerate(record.endpoints.items()):
            network = self._network(name)
            prefix = IPv4Network(network.subnet).prefixlen
            interfaces.append(
                Interface(
                    name=f"eth{position}",
                    network=endpoint.network,
                    address=IPv4Interface(f"{endpoint.address}/{prefix}"),
                    gateway=None if network.internal else IPv4Address(network.gateway),
                    default_route=name == first and not network.internal,
                    mac=endpoint.mac,
                )
            )
        return interfaces

    def _first_network(self, record: ContainerRecord) -> str:
        """The network that gives the default route and takes published ports: the first one that leads outside."""
        priority = {attachment.network: attachment.gateway_priority for attachment in record.config.networks}
        return min(record.endpoints, key=lambda name: (self._network(name).internal, -priority.get(name, 0)))

    async def _refresh(self, networks: list[str]) -> None:
        """Say anew who is on these networks; those who ask while it is being said share the next time."""
        for network_id in networks:
            telling = self._tellings.setdefault(network_id, _Telling())
            telling.asked += 1
            mine = telling.asked
            async with telling.lock:
                if telling.told < mine:
                    covered = telling.asked
                    await self._tell(network_id)
                    telling.told = covered

    async def _tell(self, network_id: str) -> None:
        network = self._store.networks.get(network_id)
        if network is not None and self._driver.alive(network_id):
            records = [
                items.Record(IPv4Address(endpoint.address), container.name, self._names(container, network.name))
                for container in self._store.containers
                if container.state is State.RUNNING and (endpoint := container.endpoints.get(network.name)) is not None
            ]
            await self._driver.set_zone(network_id, network.name, records, internal=network.internal)

    def _names(self, container: ContainerRecord, network: str) -> tuple[str, ...]:
        aliases = next((place.aliases for place in container.config.networks if place.network == network), ())
        return (*aliases, container.id[:12], container.config.hostname)

    def _holder(self, protocol: str, host_ip: str, port: int) -> str:
        holder = self._holding(protocol, port)
        return f"`{holder.name}` (service `{holder.service}` of project `{holder.project}`)" if holder else ""

    def _holding(self, protocol: str, port: int) -> ContainerRecord | None:
        holder = self._opening.get((protocol, port))
        for record in self._store.containers:
            if any((one.protocol, one.host_port) == (protocol, port) for one in record.ports):
                holder = record
        return holder

    def _to_free(self, project: str, port: Publish) -> str:
        """How somebody of `project` gets a port that another container has, "" where that is not the matter."""
        ports = tuple(_host_ports(port))
        holder = self._holding(port.protocol, ports[0]) if len(ports) == 1 else None
        if holder is None:
            return ""
        if holder.project == project:
            return "give one of the two another host port"
        return f"`compose -p {holder.project} stop {holder.service}` frees it; or publish another host port"


def host_resolv_conf() -> str:
    """The host's own resolver configuration, for containers on the host's network."""
    try:
        return Path("/etc/resolv.conf").read_text()
    except OSError:
        return ""


def _spec(record: NetworkRecord) -> NetworkSpec:
    return NetworkSpec(
        id=record.id,
        name=record.name,
        subnet=IPv4Network(record.subnet),
        gateway=IPv4Address(record.gateway),
        internal=record.internal,
        uplink=not record.internal,
        labels=record.labels,
    )


def _host_ports(port: Publish) -> range | tuple[int, ...]:
    if not port.host_port:
        return ()
    first, _, last = port.host_port.partition("-")
    return range(int(first), int(last or first) + 1)
