"""The way out of a network that has no uplink: what containers send to the outside goes on from sockets of this machine.

A TCP connection is accepted before its other end is known to answer: where that does not, the container sees a reset
instead of a refusal. The network's gateway stands for this machine itself, as a bridge's address does in Docker.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from composer.network.dataplane.inside import Inside
from composer.network.dataplane.inward import Control

_IP_TRANSPARENT, _IP_ORIGDSTADDR = 19, 20  # ip(7); the socket module has no names for them
_SOMEWHERE = "192.0.2.1"
"""An address that is nobody's (RFC 5737): which of ours would speak to it is the one that others know us by."""
_BROADCAST = IPv4Address("255.255.255.255")


class Outward:
    """Everything goes to where it was to go; `inside` belongs to this object."""

    def __init__(self, inside: Inside, gateway: IPv4Address) -> None:
        self._inside = inside
        self.target = gateway

    def close(self) -> None:
        """Let go of the namespace."""
        self._inside.close()

    def prepare(self, listener: socket.socket) -> None:
        """Nothing: the sockets were made to tell where a datagram was to go."""

    def stream(self, client: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        """For a connection that was accepted: a socket, and what to connect it to. Raises OSError."""
        host, port = client.getsockname()
        destination = self._destination(host), port
        upstream = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return upstream, destination

    def datagrams(self, client: tuple[Any, ...], control: Control) -> tuple[socket.socket, Answers]:
        """For a container's first datagram to somebody: a connected socket for all of them, and the way back.

        Raises OSError.
        """
        wanted = _wanted(control)
        destination = self._destination(wanted[0]), wanted[1]
        answers = self._inside.datagram()
        upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            answers.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            answers.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
            answers.bind(wanted)
            upstream.connect(destination)
        except OSError:
            answers.close()
            upstream.close()
            raise
        return upstream, Answers(answers, client)

    def _destination(self, wanted: str) -> str:
        address = IPv4Address(wanted)
        if address == self.target:
            return _own_address()
        if address.is_loopback or address.is_multicast or address == _BROADCAST:
            raise PermissionError(f"{wanted} is not outside")
        return wanted


@dataclass(frozen=True, slots=True)
class Answers:
    """The way back to a container: from a socket in the network's namespace with the address of whoever answers."""

    sock: socket.socket
    client: tuple[Any, ...]

    def send(self, listener: socket.socket, data: bytes) -> None:
        """Send a datagram; lost if it cannot be."""
        with contextlib.suppress(OSError):
            self.sock.sendto(data, self.client)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def _own_address() -> str:
    """What this machine is known by; not its loopback, where people have what is for themselves only. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((_SOMEWHERE, 9))
        host: str = probe.getsockname()[0]
    return host


def _wanted(control: Control) -> tuple[str, int]:
    """Where a datagram was to go: `struct sockaddr_in` of IP_ORIGDSTADDR (`ip(7)`)."""
    for level, kind, data in control:
        if level == socket.SOL_IP and kind == _IP_ORIGDSTADDR:
            _family, port, address = struct.unpack_from("!HH4s", data)
            return str(IPv4Address(address)), port
    raise OSError("a datagram without its destination")
