"""What a container's networks know of a name. Pure, but for the counter that rotates replicas.

A zone is a network's names; a view is the zones of one container's networks, in order: the first that knows a name
answers. A known name has an address and nothing else: any other question about it is answered with no data rather than
"no such name", or resolvers that ask for IPv6 first (musl) would give up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from composer.network.dataplane import message


class Zone:
    """The names of one network, from its item's meta: `names`, `reverse`, `name` and `internal`."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self.internal = bool(meta.get("internal", False))
        self._addresses: dict[bytes, list[bytes]] = {}
        self._pointers: dict[bytes, bytes] = {}
        self._turns: dict[bytes, int] = {}
        suffix = str(meta.get("name", ""))
        for name, addresses in meta.get("names", {}).items():
            records = [message.record(message.A, IPv4Address(address).packed) for address in addresses]
            for full in (name, f"{name}.{suffix}" if suffix else name):
                try:
                    self._addresses[message.wire_name(full)] = records
                except ValueError:
                    continue  # a container name may be longer than a label; it just cannot be asked for
        for address, name in meta.get("reverse", {}).items():
            try:
                target = message.record(message.PTR, message.wire_name(f"{name}.{suffix}" if suffix else name))
            except ValueError:
                continue
            self._pointers[message.reverse_name(IPv4Address(address).packed)] = target

    def records(self, name: bytes, kind: int) -> list[bytes] | None:
        """The encoded records, addresses in a new order each time; None for a name that is not ours."""
        addresses = self._addresses.get(name)
        if addresses is not None:
            if kind not in (message.A, message.ANY):
                return []
            return self._rotated(name, addresses)
        pointer = self._pointers.get(name)
        if pointer is None:
            return None
        return [pointer] if kind in (message.PTR, message.ANY) else []

    def _rotated(self, name: bytes, addresses: list[bytes]) -> list[bytes]:
        if len(addresses) < 2:
            return addresses
        turn = self._turns.get(name, 0)
        self._turns[name] = (turn + 1) % len(addresses)
        return addresses[turn:] + addresses[:turn]


def find(zones: Sequence[Zone], name: bytes, kind: int) -> list[bytes] | None:
    """The records of the first zone that knows `name`, or None."""
    for zone in zones:
        records = zone.records(name, kind)
        if records is not None:
            return records
    return None


def suffixes(domains: Iterable[str]) -> Iterator[bytes]:
    """Search domains in wire form; what cannot be one is left out."""
    for domain in domains:
        with contextlib.suppress(ValueError):
            yield message.wire_name(domain)


def without_suffix(name: bytes, suffixes: Sequence[bytes]) -> bytes | None:
    """`web` for `web.example.com` if a resolver may have added `example.com` to it by its search list."""
    for suffix in suffixes:
        if name.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)] + b"\0"
    return None
