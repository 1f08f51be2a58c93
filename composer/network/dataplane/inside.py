"""Sockets made inside a network's namespace: where a socket is made decides which network it talks on, for good.

Changing the namespace concerns the calling thread only (`setns(2)`), and this process has one.
"""

from __future__ import annotations

import os
import socket

from composer.kernel import clone, namespace

_AHEAD = 8
"""TCP sockets kept ready, so that a connection does not wait for two changes of namespace."""


class Inside:
    """The namespace behind a descriptor, which belongs to this object from now on."""

    def __init__(self, netns: int) -> None:
        self._netns = netns
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._ready: list[socket.socket] = []

    def stream(self) -> socket.socket:
        """A non-blocking TCP socket in the namespace."""
        if not self._ready:
            self._ready = self._make(socket.SOCK_STREAM, _AHEAD)
            for sock in self._ready:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return self._ready.pop()

    def datagram(self) -> socket.socket:
        """A non-blocking UDP socket in the namespace."""
        return self._make(socket.SOCK_DGRAM, 1)[0]

    def close(self) -> None:
        """Let go of the namespace."""
        for sock in self._ready:
            sock.close()
        self._ready = []
        os.close(self._netns)
        os.close(self._home)

    def _make(self, kind: int, count: int) -> list[socket.socket]:
        namespace.setns(self._netns, clone.CLONE_NEWNET)
        try:
            return [socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK) for _ in range(count)]
        finally:
            # Failing here would leave us in a container's network; the error ends the process, and the keeper starts it anew.
            namespace.setns(self._home, clone.CLONE_NEWNET)
