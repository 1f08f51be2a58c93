"""nfnetlink messages for nftables as bytes: tables, chains, maps and rules, committed as one atomic batch.

pyroute2 does not know maps with concatenated keys or most expressions, so these are packed here. A rule is a list of
expressions that work on registers (`Documentation/networking/nf_tables`, `include/uapi/linux/netfilter/nf_tables.h`);
`nft --debug=netlink` prints the same for any rule in nft's own language. If one message of a batch is refused, none of
it happens. All tables here are of family `ip`: networks have no IPv6, and it needs the fewest kernel modules.

Values that packets are compared with are in network order; what the kernel holds in a register by itself (connection
states, address types) is in host order. The batch's inner messages ask for acknowledgements, its ends do not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

NETFILTER = 12
"""NETLINK_NETFILTER."""

_NFPROTO_IPV4 = 2
_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE, _NEWSET, _NEWELEMENTS, _DELELEMENTS = 0, 2, 3, 6, 9, 12, 14
_REQUEST, _ACK, _EXCL, _CREATE, _APPEND = 0x1, 0x4, 0x200, 0x400, 0x800
_NESTED = 0x8000

VERDICT, FIRST, SECOND = 0, 1, 2
"""Registers of 16 bytes: the verdict, and two for data."""
_FIRST_WORDS, _SECOND_WORDS = 8, 12
"""The same two registers as words of 4 bytes each, for concatenations: 8-11 and 12-15."""

DROP, ACCEPT = 0, 1
RAW, MANGLE, DESTINATION_NAT, FILTER, SOURCE_NAT = -300, -150, -100, 0, 100
"""Priorities of chains: what works at one hook works in this order."""

_HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_ESTABLISHED_OR_RELATED = 0x2 | 0x4
_STATUS_DESTINATION_NAT = 1 << 5  # IPS_DST_NAT
_RTN_LOCAL = 2
PROTOCOLS = {"tcp": 6, "udp": 17}

PORT_TO_ENDPOINT = ((12 << 6) | 13, 8)
"""Type and length of a key `inet_proto . inet_service`, by nft's own numbering."""
SOCKET_TO_ENDPOINT = ((7 << 12) | (12 << 6) | 13, 12)
"""The same of `ipv4_addr . inet_proto . inet_service`."""
_ENDPOINT = ((7 << 6) | 13, 8)

Expression = bytes

_remembered = lru_cache(maxsize=512)
"""For what the rules of every network have in common: packing it again takes longer than finding it."""


def batch(messages: Iterable[bytes]) -> tuple[bytes, ...]:
    """The messages with the batch's begin and end around them."""
    ends = struct.pack(">BBH", 0, 0, _SUBSYSTEM)
    begin, end = (_message(kind, _REQUEST, ends) for kind in (_BATCH_BEGIN, _BATCH_END))
    return (begin, *messages, end)


def table(name: str) -> bytes:
    """Make a table; one that is there is fine."""
    return _nft(_NEWTABLE, _CREATE, _text(1, name) + _u32(2, 0))


def delete_table(name: str) -> bytes:
    """Delete a table with everything in it; ENOENT if there is none."""
    return _nft(_DELTABLE, 0, _text(1, name))


def chain(table: str, name: str, kind: str, hook: str, priority: int) -> bytes:
    """Make a base chain of `kind` `filter` or `nat` whose policy is accept."""
    place = _u32(1, _HOOKS[hook]) + _attribute(2, struct.pack(">i", priority))
    return _nft(
        _NEWCHAIN, _CREATE, _text(1, table) + _text(3, name) + _nest(4, place) + _u32(5, ACCEPT) + _text(7, kind)
    )


def rule(table: str, chain: str, *parts: Iterable[Expression]) -> bytes:
    """Append a rule made of matches and one statement at the end."""
    expressions = b"".join(_nest(1, expression) for part in parts for expression in part)
    return _nft(_NEWRULE, _CREATE | _APPEND, _text(1, table) + _text(2, chain) + _nest(4, expressions))


def endpoint_map(table: str, name: str, key: tuple[int, int]) -> bytes:
    """Make a map from `key` to `ipv4_addr . inet_service`; `set_id` links it to rules of the same batch by name."""
    key_type, key_length = key
    data_type, data_length = _ENDPOINT
    attributes = (
        _text(1, table)
        + _text(2, name)
        + _u32(3, 0x8)  # NFT_SET_MAP
        + _u32(4, key_type)
        + _u32(5, key_length)
        + _u32(6, data_type)
        + _u32(7, data_length)
        + _u32(10, 1)
    )
    return _nft(_NEWSET, _CREATE, attributes)


def add_elements(table: str, name: str, elements: Mapping[bytes, bytes]) -> bytes:
    """Add elements to a map; those that are there with the same value are fine."""
    items = b"".join(_nest(1, _value(1, key) + _value(2, data)) for key, data in elements.items())
    return _nft(_NEWELEMENTS, _CREATE, _text(1, table) + _text(2, name) + _nest(3, items))


def delete_elements(table: str, name: str, keys: Sequence[bytes]) -> bytes:
    """Take elements out of a map; ENOENT if one is not there."""
    items = b"".join(_nest(1, _value(1, key)) for key in keys)
    return _nft(_DELELEMENTS, 0, _text(1, table) + _text(2, name) + _nest(3, items))


# Keys and values of the maps: every part of a concatenation fills a word of 4 bytes.


def port_key(protocol: str, port: int) -> bytes:
    """`tcp . 8080`."""
    return bytes([PROTOCOLS[protocol], 0, 0, 0]) + struct.pack(">Hxx", port)


def socket_key(address: IPv4Address, protocol: str, port: int) -> bytes:
    """`127.0.0.1 . tcp . 8080`."""
    return address.packed + port_key(protocol, port)


def endpoint(address: IPv4Address, port: int) -> bytes:
    """`10.0.0.2 . 80`."""
    return address.packed + struct.pack(">Hxx", port)


# Matches.


def input_link(name: str, *, differs: bool = False) -> list[Expression]:
    """Came in by the link `name`; `cu*` means every name that begins with `cu`."""
    return _link_name(6, name, differs)


def output_link(name: str, *, differs: bool = False) -> list[Expression]:
    """Goes out by the link `name`."""
    return _link_name(7, name, differs)


def source_in(network: IPv4Network) -> list[Expression]:
    """Comes from an address in `network`, whose prefix length is a multiple of 8 or not."""
    return [
        _payload(1, 12, 4, FIRST),
        _mask(FIRST, network.netmask.packed),
        _compare(FIRST, network.network_address.packed),
    ]


def destination_in(network: IPv4Network, *, differs: bool = False) -> list[Expression]:
    """Goes to an address in `network`."""
    return [
        _payload(1, 16, 4, FIRST),
        _mask(FIRST, network.netmask.packed),
        _compare(FIRST, network.network_address.packed, differs=differs),
    ]


def destination_is(address: IPv4Address) -> list[Expression]:
    """Goes to exactly this address."""
    return [_payload(1, 16, 4, FIRST), _compare(FIRST, address.packed)]


def source_is(address: IPv4Address) -> list[Expression]:
    """Comes from exactly this address."""
    return [_payload(1, 12, 4, FIRST), _compare(FIRST, address.packed)]


def protocol_is(protocol: str) -> list[Expression]:
    """Is `tcp` or `udp`."""
    return [_meta(16, FIRST), _compare(FIRST, bytes([PROTOCOLS[protocol]]))]


def destination_port_is(port: int) -> list[Expression]:
    """Goes to this port; only after `protocol_is`."""
    return [_payload(2, 2, 2, FIRST), _compare(FIRST, struct.pack(">H", port))]


def source_port_is(port: int) -> list[Expression]:
    """Comes from this port; only after `protocol_is`."""
    return [_payload(2, 0, 2, FIRST), _compare(FIRST, struct.pack(">H", port))]


def to_local_address() -> list[Expression]:
    """Goes to an address of this machine (`fib daddr type local`)."""
    lookup = _expression("fib", _u32(1, FIRST) + _u32(2, 3) + _u32(3, 2))  # result address type, of the destination
    return [lookup, _compare(FIRST, struct.pack("=I", _RTN_LOCAL))]


def is_new() -> list[Expression]:
    """Belongs to no connection seen before, nor is related to one."""
    return [_connection(0, FIRST), _mask(FIRST, struct.pack("=I", _ESTABLISHED_OR_RELATED)), _compare(FIRST, bytes(4))]


def is_redirected(*, differs: bool = False) -> list[Expression]:
    """Belongs to a connection whose destination was translated (`ct status dnat`)."""
    return [
        _connection(2, FIRST),
        _mask(FIRST, struct.pack("=I", _STATUS_DESTINATION_NAT)),
        _compare(FIRST, bytes(4), differs=not differs),
    ]


# Statements.


def accept() -> list[Expression]:
    """Let the packet pass; further rules of the chain are not asked."""
    return _verdict(ACCEPT)


def drop() -> list[Expression]:
    """Throw the packet away."""
    return _verdict(DROP)


def refuse() -> list[Expression]:
    """Throw the packet away, and tell its sender that this was not allowed (ICMP 3/13)."""
    return [_expression("reject", _u32(1, 0) + _attribute(2, bytes([13])))]


def hand_to_socket(port: int) -> list[Expression]:
    """Give the packet, as it is, to the transparent socket at this port of the link's address (`tproxy to :port`).

    Only after `protocol_is`. None there: no match.
    """
    value = _expression("immediate", _u32(1, FIRST) + _value(2, struct.pack(">H", port)))
    return [value, _expression("tproxy", _u32(1, _NFPROTO_IPV4) + _u32(3, FIRST))]


def masquerade() -> list[Expression]:
    """Translate the source to the address of the link it leaves by."""
    return [_expression("masq", b"")]


def redirect_by_port(map_name: str) -> list[Expression]:
    """Translate the destination to what a map of `PORT_TO_ENDPOINT` has for protocol and port; none there: no match."""
    key = [_meta(16, _FIRST_WORDS), _payload(2, 2, 2, _FIRST_WORDS + 1)]
    return [*key, *_redirect(map_name)]


def redirect_by_socket(map_name: str) -> list[Expression]:
    """The same for a map of `SOCKET_TO_ENDPOINT`: the destination address counts too."""
    key = [_payload(1, 16, 4, _FIRST_WORDS), _meta(16, _FIRST_WORDS + 1), _payload(2, 2, 2, _FIRST_WORDS + 2)]
    return [*key, *_redirect(map_name)]


def set_source_port(protocol: str, port: int) -> list[Expression]:
    """Write the source port into the packet: stateless, no connection is tracked for it."""
    return _write_port(0, protocol, port)


def set_destination_port(protocol: str, port: int) -> list[Expression]:
    """Write the destination port into the packet."""
    return _write_port(2, protocol, port)


def _verdict(code: int) -> list[Expression]:
    return [_expression("immediate", _u32(1, VERDICT) + _nest(2, _nest(2, _u32(1, code))))]


def _redirect(map_name: str) -> list[Expression]:
    lookup = _expression("lookup", _text(1, map_name) + _u32(2, FIRST) + _u32(3, SECOND) + _u32(4, 1))
    to = _u32(3, _SECOND_WORDS) + _u32(4, _SECOND_WORDS) + _u32(5, _SECOND_WORDS + 1) + _u32(6, _SECOND_WORDS + 1)
    return [lookup, _expression("nat", _u32(1, 1) + _u32(2, _NFPROTO_IPV4) + to)]


def _write_port(offset: int, protocol: str, port: int) -> list[Expression]:
    checksum = 16 if protocol == "tcp" else 6
    write = _u32(2, 2) + _u32(3, offset) + _u32(4, 2) + _u32(5, FIRST) + _u32(6, 1) + _u32(7, checksum)
    value = _expression("immediate", _u32(1, FIRST) + _value(2, struct.pack(">H", port)))
    return [value, _expression("payload", write)]


def _link_name(key: int, name: str, differs: bool) -> list[Expression]:
    # A shorter comparison is how nft(8) writes a wildcard; a whole name is compared with its padding.
    value = name[:-1].encode() if name.endswith("*") else name.encode().ljust(16, b"\0")
    return [_meta(key, FIRST), _compare(FIRST, value, differs=differs)]


@_remembered
def _meta(key: int, register: int) -> Expression:
    return _expression("meta", _u32(2, key) + _u32(1, register))


@_remembered
def _payload(base: int, offset: int, length: int, register: int) -> Expression:
    return _expression("payload", _u32(1, register) + _u32(2, base) + _u32(3, offset) + _u32(4, length))


@_remembered
def _compare(register: int, value: bytes, *, differs: bool = False) -> Expression:
    return _expression("cmp", _u32(1, register) + _u32(2, int(differs)) + _value(3, value))


@_remembered
def _mask(register: int, mask: bytes) -> Expression:
    both = _u32(1, register) + _u32(2, register) + _u32(3, len(mask))
    return _expression("bitwise", both + _value(4, mask) + _value(5, bytes(len(mask))))


@_remembered
def _connection(key: int, register: int) -> Expression:
    return _expression("ct", _u32(1, register) + _u32(2, key))


def _expression(name: str, data: bytes) -> Expression:
    return _text(1, name) + _nest(2, data)


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def _nest(kind: int, data: bytes) -> bytes:
    return _attribute(kind | _NESTED, data)


@_remembered
def _u32(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value))


@_remembered
def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _value(kind: int, value: bytes) -> bytes:
    return _nest(kind, _attribute(1, value))


def _nft(kind: int, flags: int, attributes: bytes) -> bytes:
    header = struct.pack(">BBH", _NFPROTO_IPV4, 0, 0)
    return _message((_SUBSYSTEM << 8) | kind, _REQUEST | _ACK | flags, header + attributes)


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", len(body) + 16, kind, flags, 1, 0) + body
