"""The steps that set up the machine itself for networks with uplinks: forwarding, and the engine's own firewall table. Pure.

The table `ip composer-<engine id>` translates the sources of what leaves, keeps networks apart from each other and from
outsiders, and leads this machine's own connections to published ports into their networks. Only those: what comes from
outside meets the listening socket of the data plane, and with it the user's own firewall.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from composer.keeper.steps import Netlink, Step, Sysctl
from composer.network import nftables, topology
from composer.network.spec import Facts

TABLES = "composer-"
"""What the name of every engine's table begins with."""
_PUBLISHED, _PUBLISHED_ON = "published", "published_on"
_LOOPBACK_NETWORK = IPv4Network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Forward:
    """A published port that the kernel itself leads to its container."""

    protocol: str
    host_ip: IPv4Address | None
    """None: every address of this machine."""
    port: int
    uplink: topology.Uplink
    target: IPv4Address
    target_port: int
    via: int
    """The port at the network's uplink that stands for it; several addresses of this machine may publish the same one."""


def host_table(facts: Facts) -> str:
    """The name of this engine's table on the host."""
    return f"{TABLES}{facts.engine_id}"


def host_steps(facts: Facts, forwards: Iterable[Forward] = (), *, closed: bool = False) -> tuple[Step, ...]:
    """What the host needs for uplinks: forwarding, and the engine's own table, made anew with these forwards.

    Repeatable at any time: the table is replaced as a whole, atomically. `closed` says that forwarding was off before:
    then the table also keeps this machine from becoming a router between its other links.
    """
    name = host_table(facts)
    rules = [
        nftables.table(name),
        nftables.delete_table(name),
        nftables.table(name),
        *_forward_chain(name, closed),
        nftables.chain(name, "postrouting", "nat", "postrouting", nftables.SOURCE_NAT),
        # Connections of this machine to a port published on 127.0.0.1, and of containers to the outside.
        nftables.rule(
            name,
            "postrouting",
            nftables.output_link(topology.UPLINKS),
            nftables.source_in(_LOOPBACK_NETWORK),
            nftables.masquerade(),
        ),
        nftables.rule(
            name,
            "postrouting",
            nftables.output_link(topology.UPLINKS, differs=True),
            nftables.source_in(topology.UPLINK_BLOCK),
            nftables.masquerade(),
        ),
        nftables.endpoint_map(name, _PUBLISHED, nftables.PORT_TO_ENDPOINT),
        nftables.endpoint_map(name, _PUBLISHED_ON, nftables.SOCKET_TO_ENDPOINT),
        nftables.chain(name, "output", "nat", "output", nftables.DESTINATION_NAT),
        nftables.rule(name, "output", nftables.to_local_address(), nftables.redirect_by_socket(_PUBLISHED_ON)),
        nftables.rule(name, "output", nftables.to_local_address(), nftables.redirect_by_port(_PUBLISHED)),
        *(_host_element(name, forward) for forward in forwards),
    ]
    return (
        Netlink(nftables.NETFILTER, nftables.batch(rules)),
        Sysctl("net.ipv4.ip_forward", "1"),
    )


def host_teardown_steps(facts: Facts) -> tuple[Step, ...]:
    """What removes the engine's table from the host; none there is fine."""
    delete = nftables.delete_table(host_table(facts))
    return (Netlink(nftables.NETFILTER, nftables.batch([delete]), tolerate=(errno.ENOENT,)),)


def forwarding_steps(value: str) -> tuple[Step, ...]:
    """What puts `net.ipv4.ip_forward` back; for when no engine of this machine needs it any more."""
    return (Sysctl("net.ipv4.ip_forward", value),)


def publish_steps(facts: Facts, forward: Forward, network_id: str) -> tuple[Step, ...]:
    """Lead this machine's own connections to a published port into the container; adding it twice is fine.

    The network's namespace learns it first: a packet is never led where nobody knows it.
    """
    name = host_table(facts)
    inner = nftables.add_elements(topology.TABLE, topology.PUBLISHED, {_inner_key(forward): _inner_target(forward)})
    return (
        Netlink(nftables.NETFILTER, nftables.batch([inner]), within=f"netns/{network_id}"),
        Netlink(nftables.NETFILTER, nftables.batch([_host_element(name, forward)])),
    )


def withdraw_steps(facts: Facts, forward: Forward, network_id: str) -> tuple[Step, ...]:
    """The opposite of `publish_steps`; what is not there is fine. No `network_id`: its namespace is gone already."""
    map_name, key = _host_key(forward)
    outer = nftables.delete_elements(host_table(facts), map_name, [key])
    inner = nftables.delete_elements(topology.TABLE, topology.PUBLISHED, [_inner_key(forward)])
    gone = (errno.ENOENT,)
    host = Netlink(nftables.NETFILTER, nftables.batch([outer]), tolerate=gone)
    if not network_id:
        return (host,)
    return (host, Netlink(nftables.NETFILTER, nftables.batch([inner]), f"netns/{network_id}", gone))


def _forward_chain(table: str, closed: bool) -> list[bytes]:
    to_uplink, from_uplink = nftables.output_link(topology.UPLINKS), nftables.input_link(topology.UPLINKS)
    rules = [
        nftables.chain(table, "forward", "filter", "forward", nftables.FILTER),
        nftables.rule(table, "forward", from_uplink, to_uplink, nftables.drop()),
        nftables.rule(table, "forward", to_uplink, nftables.is_new(), nftables.drop()),
    ]
    if closed:
        elsewhere = nftables.output_link(topology.UPLINKS, differs=True)
        rules.append(
            nftables.rule(
                table, "forward", nftables.input_link(topology.UPLINKS, differs=True), elsewhere, nftables.drop()
            )
        )
    return rules


def _host_element(table: str, forward: Forward) -> bytes:
    map_name, key = _host_key(forward)
    return nftables.add_elements(table, map_name, {key: nftables.endpoint(forward.uplink.network.ip, forward.via)})


def _host_key(forward: Forward) -> tuple[str, bytes]:
    if forward.host_ip is None:
        return _PUBLISHED, nftables.port_key(forward.protocol, forward.port)
    return _PUBLISHED_ON, nftables.socket_key(forward.host_ip, forward.protocol, forward.port)


def _inner_key(forward: Forward) -> bytes:
    return nftables.port_key(forward.protocol, forward.via)


def _inner_target(forward: Forward) -> bytes:
    return nftables.endpoint(forward.target, forward.target_port)
