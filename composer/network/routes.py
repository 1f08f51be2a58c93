"""What this machine's addresses lead to already: its IPv4 routes, from `/proc/net/route` (proc(5))."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path


def host_routes(table: Path = Path("/proc/net/route")) -> list[IPv4Network]:
    """The destinations of every route but the default one; none where there is no IPv4."""
    try:
        text = table.read_text()
    except FileNotFoundError:
        return []
    return parse(text)


def parse(text: str) -> list[IPv4Network]:
    """The destinations in the kernel's table, whose numbers are in network order printed as this machine's integers."""
    routes = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        destination, mask = (IPv4Address(struct.pack("=I", int(fields[n], 16))) for n in (1, 7))
        if int(mask):
            routes.append(IPv4Network(f"{destination}/{mask}"))
    return routes


def links(prefix: str) -> dict[str, int]:
    """The index of each of this machine's links whose name begins with `prefix`."""
    return {name: index for index, name in socket.if_nameindex() if name.startswith(prefix)}
