"""Sockets made inside a network's namespace: where a socket is made decides which network it talks on, for good.

Changing the namespace concerns the calling thread only (`setns(2)`), so a thread goes there, makes a few sockets and ends.
This thread could not: without privileges there is no way back into the host's namespace, which belongs to another user
namespace than ours (`setns(2)`, EPERM).
"""

from __future__ import annotations

import os
import socket
import threading

from composer.kernel import clone, namespace

_AHEAD = 8
"""Sockets kept ready, so that few connections wait for a thread."""


class Inside:
    """The namespace behind a descriptor, which belongs to this object from now on."""

    def __init__(self, netns: int) -> None:
        self._netns = netns
        self._ready: dict[socket.SocketKind, list[socket.socket]] = {}

    def stream(self) -> socket.socket:
        """A non-blocking TCP socket in the namespace. Raises OSError."""
        return self._take(socket.SOCK_STREAM)

    def datagram(self) -> socket.socket:
        """A non-blocking UDP socket in the namespace. Raises OSError."""
        return self._take(socket.SOCK_DGRAM)

    def close(self) -> None:
        """Let go of the namespace; a second time is fine."""
        for sockets in self._ready.values():
            for sock in sockets:
                sock.close()
        self._ready = {}
        if self._netns >= 0:
            os.close(self._netns)
            self._netns = -1

    def _take(self, kind: socket.SocketKind) -> socket.socket:
        if not self._ready.get(kind):
            self._ready[kind] = self._make(kind)
        return self._ready[kind].pop()

    def _make(self, kind: socket.SocketKind) -> list[socket.socket]:
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def go() -> None:
            try:
                namespace.setns(self._netns, clone.CLONE_NEWNET)
                for _ in range(_AHEAD):
                    sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
                    made.append(sock)
                    if kind == socket.SOCK_STREAM:
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=go)
        thread.start()
        thread.join()
        if not made:
            raise failed[0]
        return made
