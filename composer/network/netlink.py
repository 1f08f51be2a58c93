"""rtnetlink messages as bytes: the one door to pyroute2, which is used for its encoders only.

Everything here is pure. Whoever sends the messages (a `Netlink` step, in a child of the keeper) opens the socket in the
namespace that matters and waits for the acknowledgements. The encoders take 40 ms to import, so they are imported at the
first message; what every start sends is encoded once and filled in afterwards (`template`). See rtnetlink(7), veth(4), bridge(8).
"""

from __future__ import annotations

import importlib.util
import struct
import sys
from functools import cache
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from composer.network.template import Template

ROUTE = 0
"""NETLINK_ROUTE."""

_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400
_RTM_NEWLINK, _RTM_DELLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 17, 20, 24
_IFF_UP = 1
_BRIDGE_PORT_DISABLED = 0

_NO_BROADCAST = 31
"""Subnets with a prefix this long or longer have no broadcast address (RFC 3021)."""

_NUMBER = struct.Struct("=I")
_MARKERS = (0x71727301, 0x71727302, 0x71727303, 0x71727304)
_MAC_MARKER = "76:77:78:79:7a:7b"

_LOOPBACK = 1
"""Index of `lo` in every network namespace."""


@cache
def load() -> None:
    """Import the encoders, the first time: in a quiet moment or another thread, rather than at the first network.

    Without `pyroute2/__init__`, which imports all of the library: 350 modules and 15 MB, where the encoders are 25 and 4.
    """
    if "pyroute2" not in sys.modules:
        found = importlib.util.find_spec("pyroute2")
        if found is not None:
            sys.modules["pyroute2"] = importlib.util.module_from_spec(found)
    import pyroute2.netlink.rtnl.ifaddrmsg
    import pyroute2.netlink.rtnl.ifinfmsg
    import pyroute2.netlink.rtnl.rtmsg  # noqa: F401


def bridge(name: str, index: int, mac: str) -> bytes:
    """Create a bridge. Its address is set by hand: otherwise it would change with the ports that come and go."""
    return _bridge(len(name)).fill(name.encode(), _NUMBER.pack(index), bytes.fromhex(mac.replace(":", "")))


@cache
def _bridge(name_length: int) -> Template:
    name, index = "\x01" * name_length, _MARKERS[0]
    attributes = [("IFLA_IFNAME", name), ("IFLA_ADDRESS", _MAC_MARKER), _kind("bridge")]
    message = _link(_RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, attributes, index=index)
    return Template.of(message, name.encode(), _NUMBER.pack(index), bytes.fromhex(_MAC_MARKER.replace(":", "")))


def veth(
    name: str, index: int, *, peer: str, peer_index: int, peer_pid: int, master: int = 0, peer_mac: str = ""
) -> bytes:
    """Create a pair: this end here (up if it has a master), the peer, still down, in the network namespace of `peer_pid`.

    Traps of `drivers/net/veth.c`: a peer created up has no partner to open with (ENOTCONN), and the index of the peer is
    ours to choose only if this end's is chosen too.
    """
    template = _veth(len(name), len(peer), bool(master), bool(peer_mac))
    values = [name.encode(), peer.encode(), *(_NUMBER.pack(number) for number in (index, peer_index, peer_pid))]
    if master:
        values.append(_NUMBER.pack(master))
    if peer_mac:
        values.append(bytes.fromhex(peer_mac.replace(":", "")))
    return template.fill(*values)


@cache
def _veth(name_length: int, peer_length: int, has_master: bool, has_mac: bool) -> Template:
    name, peer = "\x01" * name_length, "\x02" * peer_length
    index, peer_index, peer_pid, master = _MARKERS
    peer_attributes: list[tuple[str, Any]] = [("IFLA_IFNAME", peer), ("IFLA_NET_NS_PID", peer_pid)]
    if has_mac:
        peer_attributes.append(("IFLA_ADDRESS", _MAC_MARKER))
    peer_link = {"index": peer_index, "attrs": peer_attributes}
    attributes: list[tuple[str, Any]] = [("IFLA_IFNAME", name)]
    if has_master:
        attributes.append(("IFLA_MASTER", master))
    attributes.append(_kind("veth", {"attrs": [("VETH_INFO_PEER", peer_link)]}))
    message = _link(_RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, attributes, index=index, up=has_master)
    markers = [name.encode(), peer.encode(), *map(_NUMBER.pack, (index, peer_index, peer_pid))]
    if has_master:
        markers.append(_NUMBER.pack(master))
    if has_mac:
        markers.append(bytes.fromhex(_MAC_MARKER.replace(":", "")))
    return Template.of(message, *markers)


@cache
def up(index: int = _LOOPBACK) -> bytes:
    """Set the link with this index up."""
    return _link(_RTM_NEWLINK, 0, [], index=index, up=True)


def silence(name: str) -> bytes:
    """Stop a bridge port from forwarding, at once and without waiting for RCU; ENODEV if there is no such link."""
    return _silence(len(name)).fill(name.encode())


@cache
def _silence(name_length: int) -> Template:
    name = "\x01" * name_length
    data = {"attrs": [("IFLA_BRPORT_STATE", _BRIDGE_PORT_DISABLED)]}
    slave = {"attrs": [("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", data)]}
    message = _link(_RTM_NEWLINK, 0, [("IFLA_IFNAME", name), ("IFLA_LINKINFO", slave)])
    return Template.of(message, name.encode())


def delete(name: str) -> bytes:
    """Delete a link; this takes the kernel 20 ms, so prefer to let its namespace die."""
    return _link(_RTM_DELLINK, 0, [("IFLA_IFNAME", name)])


def address(index: int, value: IPv4Interface) -> bytes:
    """Give the link with this index an address and, by its prefix, the route to the subnet."""
    network = value.network
    values = [_NUMBER.pack(index), value.ip.packed]
    if network.prefixlen < _NO_BROADCAST:
        values.append(network.broadcast_address.packed)
    return _address(network.prefixlen).fill(*values)


@cache
def _address(prefix: int) -> Template:
    load()
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

    index, address, broadcast, _ = _MARKERS
    message = ifaddrmsg()
    message["family"], message["prefixlen"], message["index"] = 2, prefix, index
    message["attrs"] = [(name, str(IPv4Address(address))) for name in ("IFA_LOCAL", "IFA_ADDRESS")]
    markers = [_NUMBER.pack(index), IPv4Address(address).packed]
    if prefix < _NO_BROADCAST:
        message["attrs"].append(("IFA_BROADCAST", str(IPv4Address(broadcast))))
        markers.append(IPv4Address(broadcast).packed)
    return Template.of(_encode(message, _RTM_NEWADDR, _NLM_F_CREATE | _NLM_F_EXCL), *markers)


def default_route(gateway: IPv4Address, index: int) -> bytes:
    """The default route by way of `gateway`, which the link with this index reaches."""
    return _default_route().fill(gateway.packed, _NUMBER.pack(index))


@cache
def _default_route() -> Template:
    load()
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    link, gateway, _, _ = _MARKERS
    message = rtmsg()
    # main table, protocol boot, scope universe, unicast
    message["family"], message["table"], message["proto"], message["scope"], message["type"] = 2, 254, 3, 0, 1
    message["attrs"] = [("RTA_TABLE", 254), ("RTA_GATEWAY", str(IPv4Address(gateway))), ("RTA_OIF", link)]
    encoded = _encode(message, _RTM_NEWROUTE, _NLM_F_CREATE | _NLM_F_EXCL)
    return Template.of(encoded, IPv4Address(gateway).packed, _NUMBER.pack(link))


def everything_is_local() -> bytes:
    """A route by which packets to any address that no other route has come to this namespace's own sockets."""
    load()
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    message = rtmsg()
    # main table, which is asked after that of real local addresses; protocol boot, scope host, local
    message["family"], message["table"], message["proto"], message["scope"], message["type"] = 2, 254, 3, 254, 2
    message["attrs"] = [("RTA_TABLE", 254), ("RTA_OIF", _LOOPBACK)]
    return _encode(message, _RTM_NEWROUTE, _NLM_F_CREATE | _NLM_F_EXCL)


def _kind(kind: str, data: dict[str, Any] | None = None) -> tuple[str, Any]:
    attributes: list[tuple[str, Any]] = [("IFLA_INFO_KIND", kind)]
    if data is not None:
        attributes.append(("IFLA_INFO_DATA", data))
    return "IFLA_LINKINFO", {"attrs": attributes}


def _link(kind: int, flags: int, attributes: list[tuple[str, Any]], *, index: int = 0, up: bool = False) -> bytes:
    load()
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    message = ifinfmsg()
    message["index"] = index
    if up:
        message["flags"] = message["change"] = _IFF_UP
    message["attrs"] = attributes
    return _encode(message, kind, flags)


def _encode(message: Any, kind: int, flags: int) -> bytes:
    message["header"]["type"] = kind
    message["header"]["flags"] = _NLM_F_REQUEST | _NLM_F_ACK | flags
    message["header"]["sequence_number"] = 1
    message.encode()
    return bytes(message.data)
