"""The way into a network: from a published port to a container."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import Any

from composer.network.dataplane.inside import Inside

_IP_PKTINFO = 8  # ip(7); the socket module has no name for it yet

Control = list[tuple[int, int, bytes]]
"""What came beside a datagram (`recvmsg(2)`)."""


class Inward:
    """Everything goes to `target`, from sockets in the network's namespace; `inside` belongs to this object."""

    def __init__(self, inside: Inside, target: tuple[str, int]) -> None:
        self._inside = inside
        self.target = target

    def close(self) -> None:
        """Let go of the namespace."""
        self._inside.close()

    def prepare(self, listener: socket.socket) -> None:
        """Have a UDP socket tell which address of this machine a datagram was sent to."""
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def stream(self, client: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        """For a connection that was accepted: a socket, and what to connect it to. Raises OSError."""
        return self._inside.stream(), self.target

    def datagrams(self, client: tuple[Any, ...], control: Control) -> tuple[socket.socket, Answers]:
        """For a client's first datagram: a connected socket for all of them, and the way back. Raises OSError."""
        upstream = self._inside.datagram()
        try:
            upstream.connect(self.target)
        except OSError:
            upstream.close()
            raise
        return upstream, Answers(client, _answer_from(control))


@dataclass(frozen=True, slots=True)
class Answers:
    """The way back to a client: by the published port, from the address that it had written to. A host has several."""

    client: tuple[Any, ...]
    control: Control

    def send(self, listener: socket.socket, data: bytes) -> None:
        """Send a datagram; lost if it cannot be."""
        with contextlib.suppress(OSError):
            listener.sendmsg([data], self.control, 0, self.client)

    def close(self) -> None:
        """Nothing: the listener is everybody's."""


def _answer_from(control: Control) -> Control:
    """The control message that makes an answer leave by the address the client wrote to."""
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return [(level, kind, bytes(4) + data[4:8] + bytes(4))]  # any link, this source address
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return [(level, kind, data)]
    return []
