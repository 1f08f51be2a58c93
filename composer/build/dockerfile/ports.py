"""`EXPOSE 80`, `8000-8010/udp`: which ports a word means.

<https://docs.docker.com/reference/dockerfile/#expose>. Host addresses and ports may stand before it, as BuildKit still
allows; they mean nothing.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

PROTOCOLS = ("tcp", "udp", "sctp")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that one word of an EXPOSE means."""

    first: int
    last: int
    protocol: str
    """In lower case."""
    written_protocol: str = ""
    has_host: bool = False
    """Whether an address or a port of the host stands before it."""

    def names(self) -> list[str]:
        """`80/tcp` and so on, as an image's config has them."""
        return [f"{port}/{self.protocol}" for port in range(self.first, self.last + 1)]


def read_ports(word: str) -> Ports:
    """The ports that `word`, its variables replaced, means. Raises ValueError, saying what is wrong."""
    *before, container = word.split(":")
    host = before.pop() if before else ""
    address = ":".join(before)
    number, _, protocol = container.partition("/")
    if not number:
        raise ValueError(f"invalid port `{word}`: no port specified")
    if protocol and protocol.lower() not in PROTOCOLS:
        raise ValueError(f"invalid port `{word}`: invalid protocol `{protocol}`")
    if address and not _is_address(address):
        raise ValueError(f"invalid IP address `{address}`")
    first, last = _range(number, "containerPort")
    if host:
        host_first, host_last = _range(host, "hostPort")
        if first != last and last - first != host_last - host_first:
            raise ValueError(f"invalid ranges specified for container and host ports: `{number}` and `{host}`")
    return Ports(first, last, protocol.lower() or "tcp", protocol, bool(address or host))


def _range(text: str, what: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid {what}: `{text}`")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= _HIGHEST:
        raise ValueError(f"invalid {what}: `{text}`: ports go from 0 to {_HIGHEST}")
    return first, last


def _is_address(text: str) -> bool:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False
    return True
