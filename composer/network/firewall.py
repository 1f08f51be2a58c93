"""What the firewall of our network namespace holds: the tables of all engines of this machine, and what stands in our way.

Only reads, by dumps of nf_tables; what iptables writes is there too, unless it is the old one: that is `legacy`'s.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from composer.network import nftables

_GET_TABLES, _GET_CHAINS, _GET_RULES = 0x0A01, 0x0A04, 0x0A07
_REQUEST_DUMP = 0x301
_ERROR, _DONE = 2, 3
_EVERY_FAMILY = 0
_FAMILIES = {1: "inet", 2: "ip"}
_NAME_OF_TABLE, _TABLE_OF, _CHAIN_NAME, _HOOK, _POLICY = 1, 1, 3, 4, 5
_HOOK_NUMBER, _FORWARD = 1, 2
_CHAIN_OF_RULE, _EXPRESSIONS = 2, 4
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_IMMEDIATE_DATA, _VERDICT, _VERDICT_CODE = 2, 2, 1
_TELLING = frozenset({"counter", "log"})
"""Expressions that decide nothing."""
_NESTED = 0x3FFF
"""The bits of an attribute's type that say which it is."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that decides about what this machine forwards."""

    family: str
    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"


def tables() -> set[str]:
    """The names of the tables of family `ip`; none where the kernel has no nf_tables. Raises OSError: EPERM without privilege."""
    return {_text(_attributes(message).get(_NAME_OF_TABLE, b"")) for _, message in _dump(_GET_TABLES, socket.AF_INET)}


def refusing(links: str) -> Chain | None:
    """A chain that drops or rejects what is forwarded and not accepted by it, in a table that says nothing of `links` (`cu*`).

    By its policy, or by a last rule for everything, as firewalld has it. Our own accept rules are of no use against that: a
    packet passes only if every chain at the hook lets it. Raises OSError.
    """
    # As in the comparison of an interface's name with a wildcard: an attribute with the letters before the star.
    prefix = links.rstrip("*").encode()
    mention = struct.pack("=HH", 4 + len(prefix), 1) + prefix
    for family, message in _dump(_GET_CHAINS, _EVERY_FAMILY):
        found = _attributes(message)
        if family not in _FAMILIES or _HOOK not in found or _POLICY not in found:
            continue
        hook = struct.unpack(">I", _attributes(found[_HOOK])[_HOOK_NUMBER])[0]
        if hook != _FORWARD:
            continue
        chain = Chain(_FAMILIES[family], _text(found[_TABLE_OF]), _text(found[_CHAIN_NAME]))
        rules = [rule for _, rule in _dump(_GET_RULES, family) if _text(_attributes(rule)[_TABLE_OF]) == chain.table]
        if any(mention in rule for rule in rules):
            continue
        own = [rule for rule in rules if _text(_attributes(rule)[_CHAIN_OF_RULE]) == chain.name]
        if struct.unpack(">I", found[_POLICY])[0] == nftables.DROP or (own and _refuses_all(own[-1])):
            return chain
    return None


def _refuses_all(rule: bytes) -> bool:
    """Whether a rule drops or rejects without a condition."""
    for expression in _each(_attributes(rule).get(_EXPRESSIONS, b"")):
        found = _attributes(expression)
        name = _text(found.get(_EXPRESSION_NAME, b""))
        data = _attributes(found.get(_EXPRESSION_DATA, b""))
        if name in _TELLING:
            continue
        if name == "immediate":
            verdict = _attributes(_attributes(data.get(_IMMEDIATE_DATA, b"")).get(_VERDICT, b""))
            return verdict.get(_VERDICT_CODE) == struct.pack(">I", nftables.DROP)
        return name == "reject"
    return False


def _dump(what: int, family: int) -> Iterator[tuple[int, bytes]]:
    """The family and the attributes of everything of a kind; nothing where the kernel has no nf_tables. Raises OSError."""
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, nftables.NETFILTER)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            return
        raise
    with netlink as sock:
        sock.bind((0, 0))
        body = struct.pack(">BBH", family, 0, 0)
        sock.send(struct.pack("=IHHII", 16 + len(body), what, _REQUEST_DUMP, 1, 0) + body)
        while True:
            data = sock.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", data, 16)[0]
                    raise OSError(number, "list what the firewall has")
                yield data[16], data[20:length]
                data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by type, the first of each."""
    found: dict[int, bytes] = {}
    for kind, value in _walk(data):
        found.setdefault(kind, value)
    return found


def _each(data: bytes) -> list[bytes]:
    """The attributes of a list."""
    return [value for _kind, value in _walk(data)]


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & _NESTED, data[4:length]
        data = data[max(4, (length + 3) & ~3) :]


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
