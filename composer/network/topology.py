"""The steps that make a network and attach a container to networks. Pure; `host` has those of the machine itself.

    host                       namespace of the network                     namespace of the container
    cu<id> ── uplink (/31) ── up0 ──(routing, masquerade)── br0 ── v<…> ── eth0
                                                            gateway address

The link indexes are chosen here, so that every message can be packed before anything exists: nothing is asked back.
Indexes begin at 1000, above the devices that some kernel modules put into every namespace (`tunl0`, `sit0`).

The uplink's addresses come from a link-local block that no provider's metadata service uses. Its slot in that block is
also its index in the host's namespace: the kernel refuses a second link with the same one (EBUSY), which is what
keeps two engines that choose at the same moment apart.
"""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from composer.keeper.steps import (
    JoinNamespace,
    Netlink,
    PinNamespace,
    ReportNamespace,
    ReportSockets,
    Step,
    Sysctl,
    Unpin,
)
from composer.network import netlink, nftables
from composer.network.spec import Facts, Interface, NetworkSpec

UPLINK_BLOCK = IPv4Network("169.254.128.0/19")
UPLINKS = "cu*"
"""Every engine's uplinks on this host, as a wildcard of nft."""
UPLINK_SLOTS = UPLINK_BLOCK.num_addresses // 2
FIRST_UPLINK_INDEX = 100_000

HOST = "netns/host"
"""Name of the descriptor of the host's network namespace, for the steps that need it."""

DNS_ADDRESS = "127.0.0.11"
DNS_PORT = 61053
"""Where the container's DNS sockets really are: above the ephemeral ports, and no service is registered there."""

BRIDGE, BRIDGE_INDEX = "br0", 1000
UPLINK, UPLINK_INDEX = "up0", 1001
_FIRST_INTERFACE_INDEX = 1000

RELAY_PORT = 61054
"""Where a network without an uplink has the sockets that take what goes to the outside."""

TABLE = "composer"
"""The table in a network's or container's namespace."""
PUBLISHED = "published"
"""Its map of published ports."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """A pair of addresses between the host and one network."""

    slot: int

    @property
    def host(self) -> IPv4Interface:
        """The host's end."""
        return IPv4Interface((int(UPLINK_BLOCK.network_address) + 2 * self.slot, 31))

    @property
    def network(self) -> IPv4Interface:
        """The network's end."""
        return IPv4Interface((int(UPLINK_BLOCK.network_address) + 2 * self.slot + 1, 31))

    @property
    def index(self) -> int:
        """The index of the link in the host's namespace."""
        return FIRST_UPLINK_INDEX + self.slot


def uplink_name(network_id: str) -> str:
    """The name of the host's end of a network's uplink."""
    return f"cu{network_id[:12]}"


def link_name(container_id: str, position: int, start: int = 0) -> str:
    """The name of the network's end of a container's link, different at each start: the former one may still be dying."""
    return f"v{container_id[:9]}{position % 16:x}{start % 0x10000:04x}"


def pin_path(facts: Facts, network_id: str) -> str:
    """Where a network's namespace is pinned, or "" for an engine without privileges, which cannot."""
    return f"{facts.run}/netns/{network_id}" if facts.privileged else ""


def mac_of(address: IPv4Address) -> str:
    """The locally administered MAC address that belongs to an IP address, as Docker derives it."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x42" + address.packed)


def network_steps(spec: NetworkSpec, facts: Facts, uplink: Uplink | None = None) -> tuple[Step, ...]:
    """What a child in a new network namespace does to make it the network `spec`; it reports `netns/<id>`.

    With `uplink` it needs the descriptor `netns/host`. Without, but for an internal network, it reports `out/<id>/tcp` and `/udp`
    as well. A failing step leaves nothing: the namespace dies with the child.
    """
    gateway = IPv4Interface((spec.gateway, spec.subnet.prefixlen))
    steps: list[Step] = [
        *_quiet_links(),
        # Bridged frames would otherwise pass this namespace's rules as if they were routed (br_netfilter).
        Sysctl("net.bridge.bridge-nf-call-iptables", "0", optional=True),
        Netlink(
            netlink.ROUTE,
            (
                netlink.up(),
                netlink.bridge(BRIDGE, BRIDGE_INDEX, mac_of(spec.gateway)),
                netlink.address(BRIDGE_INDEX, gateway),
                netlink.up(BRIDGE_INDEX),
            ),
        ),
    ]
    if uplink is not None:
        steps += _uplink_steps(spec, facts, uplink)
    elif spec.uplink:
        steps += _relay_steps(spec)
    if path := pin_path(facts, spec.id):
        steps.append(PinNamespace(path))  # last, so that a pinned namespace is a complete network
    steps.append(ReportNamespace(f"netns/{spec.id}"))
    return tuple(steps)


def remove_steps(network_id: str, facts: Facts) -> tuple[Step, ...]:
    """What makes the namespace die once the last descriptor of it is closed; its links and rules go with it."""
    path = pin_path(facts, network_id)
    return (Unpin(path),) if path else ()


def attach_steps(
    container_id: str,
    interfaces: Sequence[Interface],
    *,
    start: int = 0,
    silence: Iterable[tuple[str, str]] = (),
    pings: bool = False,
) -> tuple[Step, ...]:
    """What a container's init does in its own new network and pid namespace: links, addresses, routes, DNS.

    It needs the descriptor `netns/<id>` of each network and reports `dns/<container id>/udp` and `/tcp`. `start` counts
    the starts of this container. `silence` are (network id, link name) of links that had these addresses before and may
    not be gone yet: they stop forwarding, so that no dying namespace answers for the new one. Our own former start is
    always among them. `pings` lets every group send ICMP echo; where groups are not mapped the kernel refuses that.

    To be placed before the mounts: it writes to `/proc/sys/net`. With no interfaces only `lo` is set up.
    """
    steps: list[Step] = [*_quiet_links(), Sysctl("net.ipv4.conf.default.arp_notify", "1", optional=True)]
    own_former = [(one.network, link_name(container_id, n, start - 1)) for n, one in enumerate(interfaces) if start]
    former = dict.fromkeys((*silence, *own_former))
    own: list[bytes] = [netlink.up()]
    for position, interface in enumerate(interfaces):
        index = interface.ifindex or _FIRST_INTERFACE_INDEX + position
        pair = netlink.veth(
            name := link_name(container_id, position, start),
            _link_index(name),
            master=BRIDGE_INDEX,
            peer=interface.name,
            peer_index=index,
            peer_pid=1,  # ourselves: init of the new pid namespace
            peer_mac=interface.mac or mac_of(interface.address.ip),
        )
        within = f"netns/{interface.network}"
        if old := tuple(netlink.silence(link) for network, link in former if network == interface.network):
            steps.append(Netlink(netlink.ROUTE, old, within, tolerate=(errno.ENODEV, errno.EOPNOTSUPP)))
        steps.append(Netlink(netlink.ROUTE, (pair,), within))
        own += [netlink.address(index, interface.address), netlink.up(index)]
        if interface.default_route and interface.gateway is not None:
            own.append(netlink.default_route(interface.gateway, index))
    steps.append(Netlink(netlink.ROUTE, tuple(own)))
    # As Docker does: any user of a container may bind low ports, and send pings.
    steps.append(Sysctl("net.ipv4.ip_unprivileged_port_start", "0", optional=True))
    if pings:
        steps.append(Sysctl("net.ipv4.ping_group_range", "0 2147483647", optional=True))
    if interfaces:
        steps += [
            Netlink(nftables.NETFILTER, _dns_rules()),
            ReportSockets(f"dns/{container_id}", DNS_ADDRESS, DNS_PORT),
        ]
    return tuple(steps)


def _link_index(name: str) -> int:
    """An index for the network's end of a link: the kernel takes our choice for a peer only beside one for this end."""
    return 0x4000_0000 | zlib.crc32(name.encode()) & 0x3FFF_FFFF


def resolver_steps(container_id: str, netns: str) -> tuple[Step, ...]:
    """What opens a container's resolver sockets again, from outside: its rules still lead there."""
    return (JoinNamespace(netns, "net"), ReportSockets(f"dns/{container_id}", DNS_ADDRESS, DNS_PORT))


def _quiet_links() -> tuple[Step, ...]:
    """No IPv6 on links to come: networks have none yet, and its discovery costs time and packets. `lo` keeps `::1`."""
    return (Sysctl("net.ipv6.conf.default.disable_ipv6", "1", optional=True),)


def _uplink_steps(spec: NetworkSpec, facts: Facts, uplink: Uplink) -> list[Step]:
    name = uplink_name(spec.id)
    pair = netlink.veth(UPLINK, UPLINK_INDEX, peer=name, peer_index=uplink.index, peer_pid=facts.engine_pid)
    return [
        Netlink(netlink.ROUTE, (pair,)),
        Sysctl(f"net.ipv6.conf.{name}.disable_ipv6", "1", within=HOST, optional=True),
        # Lets connections to 127.0.0.1 leave by this link after their destination was translated.
        Sysctl(f"net.ipv4.conf.{name}.route_localnet", "1", within=HOST),
        Netlink(
            netlink.ROUTE,
            (netlink.address(uplink.index, uplink.host), netlink.up(uplink.index)),
            within=HOST,
        ),
        Netlink(
            netlink.ROUTE,
            (
                netlink.address(UPLINK_INDEX, uplink.network),
                netlink.up(UPLINK_INDEX),
                netlink.default_route(uplink.host.ip, UPLINK_INDEX),
            ),
        ),
        Netlink(nftables.NETFILTER, _network_rules()),
        Sysctl("net.ipv4.ip_forward", "1"),
    ]


def _relay_steps(spec: NetworkSpec) -> list[Step]:
    """Without privileges no link leads to the host's namespace: sockets take what goes out, and the data plane passes it on.

    Packets are taken as they are (`tproxy`), so that the sockets know where they were to go; without connection tracking.
    """
    bridge = nftables.input_link(BRIDGE)
    away = nftables.destination_in(spec.subnet, differs=True)
    gateway = nftables.destination_is(spec.gateway)
    rules = [nftables.table(TABLE), nftables.chain(TABLE, "prerouting", "filter", "prerouting", nftables.MANGLE)]
    rules += [
        nftables.rule(
            TABLE, "prerouting", bridge, where, nftables.protocol_is(protocol), nftables.hand_to_socket(RELAY_PORT)
        )
        for where in (away, gateway)
        for protocol in nftables.PROTOCOLS
    ]
    # All else (ICMP) would be answered by this namespace itself, in the name of whoever was asked.
    rules.append(nftables.chain(TABLE, "input", "filter", "input", nftables.FILTER))
    rules += [
        nftables.rule(TABLE, "input", bridge, away, nftables.protocol_is(protocol), nftables.accept())
        for protocol in nftables.PROTOCOLS
    ]
    rules.append(nftables.rule(TABLE, "input", bridge, away, nftables.refuse()))
    return [
        Netlink(netlink.ROUTE, (netlink.everything_is_local(),)),
        Netlink(nftables.NETFILTER, nftables.batch(rules)),
        ReportSockets(f"out/{spec.id}", str(spec.gateway), RELAY_PORT, transparent=True),
    ]


def _network_rules() -> tuple[bytes, ...]:
    """The network's own table: out with the uplink's address, in only to published ports."""
    uplink, bridge = nftables.input_link(UPLINK), nftables.output_link(BRIDGE)
    return nftables.batch(
        [
            nftables.table(TABLE),
            nftables.endpoint_map(TABLE, PUBLISHED, nftables.PORT_TO_ENDPOINT),
            nftables.chain(TABLE, "prerouting", "nat", "prerouting", nftables.DESTINATION_NAT),
            nftables.rule(TABLE, "prerouting", uplink, nftables.redirect_by_port(PUBLISHED)),
            nftables.chain(TABLE, "forward", "filter", "forward", nftables.FILTER),
            nftables.rule(
                TABLE,
                "forward",
                uplink,
                nftables.is_new(),
                nftables.is_redirected(differs=True),
                nftables.drop(),
            ),
            nftables.chain(TABLE, "postrouting", "nat", "postrouting", nftables.SOURCE_NAT),
            nftables.rule(TABLE, "postrouting", nftables.output_link(UPLINK), nftables.masquerade()),
            # A container on several networks may have its default route elsewhere: only the gateway's own address
            # brings its answers back here. The relay connects from it as well.
            nftables.rule(TABLE, "postrouting", bridge, nftables.is_redirected(), nftables.masquerade()),
        ]
    )


@cache
def _dns_rules() -> tuple[bytes, ...]:
    """Lead 127.0.0.11:53 to the sockets at the high port and back, by rewriting ports without connection tracking.

    A translation with state (`dnat`) would make the kernel track every connection of the container: measurably slower
    for its real traffic. Both directions pass the output hook here, since both ends are in this namespace.
    """
    dns = IPv4Address(DNS_ADDRESS)
    rules = [nftables.table(TABLE), nftables.chain(TABLE, "dns", "filter", "output", nftables.RAW)]
    for protocol in nftables.PROTOCOLS:
        rules.append(
            nftables.rule(
                TABLE,
                "dns",
                nftables.destination_is(dns),
                nftables.protocol_is(protocol),
                nftables.destination_port_is(53),
                nftables.set_destination_port(protocol, DNS_PORT),
            )
        )
        rules.append(
            nftables.rule(
                TABLE,
                "dns",
                nftables.source_is(dns),
                nftables.protocol_is(protocol),
                nftables.source_port_is(DNS_PORT),
                nftables.set_source_port(protocol, 53),
            )
        )
    return nftables.batch(rules)
