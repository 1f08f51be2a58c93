"""Relays connections between this machine and a network's namespace: to a published port, or from containers to the outside.

The listening socket of a published port is the port: the kernel shows it to `ss -l` and to firewalls, and queues connections
while nobody relays. For each connection another one is made, the `way` it has to go.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
from collections.abc import Callable

from composer.network.dataplane.flow import Flow, Pipes
from composer.network.dataplane.inward import Inward
from composer.network.dataplane.loop import EDGES, READABLE, WRITABLE, Loop
from composer.network.dataplane.outward import Outward

_ACCEPT_AT_ONCE = 64
_PAUSE = 0.1
"""Seconds until the next try after accept failed for want of descriptors or memory."""
_RESET = struct.pack("ii", 1, 0)
"""`SO_LINGER` on, zero seconds: close sends RST (`socket(7)`)."""


class TcpRelay:
    """The connections of one listener; that and the way belong to it."""

    def __init__(self, loop: Loop, pipes: Pipes, listener: socket.socket, way: Inward | Outward) -> None:
        self._loop = loop
        self._pipes = pipes
        self._listener = listener
        self._way = way
        self._connections: set[Connection] = set()
        self._listen()

    def replace(self, listener: socket.socket, way: Inward | Outward) -> None:
        """Lead new connections elsewhere; those that are there go on."""
        self._stop_listening()
        self._listener, self._way = listener, way
        self._listen()

    def close(self) -> None:
        """Stop, and end every connection: their sockets would keep the network's namespace alive."""
        self._stop_listening()
        for connection in list(self._connections):
            connection.abort()

    def retire(self) -> None:
        """Take no new connections; those that are there go on."""
        self._stop_listening()

    @property
    def is_idle(self) -> bool:
        """Whether there is no connection."""
        return not self._connections

    def _listen(self) -> None:
        self._listener.setblocking(False)
        # Accepted sockets inherit both (tcp(7)).
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._loop.watch(self._listener.fileno(), self._accept)

    def _stop_listening(self) -> None:
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._way.close()

    def _accept(self, _mask: int) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                client, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._pause()
                    return
                if error.errno == errno.EINVAL:  # shut down: the port is given back, and we hear of it presently
                    self._loop.forget(self._listener.fileno())
                    return
                continue  # the client gave up before we came: accept(2) reports its network errors
            try:
                upstream, target = self._way.stream(client)
            except PermissionError:
                _reset(client)
                continue
            except OSError:
                _reset(client)
                self._pause()
                return
            connection = Connection(self._loop, self._pipes, client, upstream, self._connections.discard)
            self._connections.add(connection)
            connection.connect(target)

    def _pause(self) -> None:
        listener = self._listener
        self._loop.forget(listener.fileno())

        def resume() -> None:
            if listener.fileno() >= 0 and listener is self._listener:
                self._loop.watch(listener.fileno(), self._accept)

        self._loop.later(_PAUSE, resume)


class Connection:
    """A client, the connection made for it, and the flows between them."""

    __slots__ = ("_back", "_client", "_connected", "_forth", "_gone", "_loop", "_resumed", "_upstream")

    def __init__(
        self,
        loop: Loop,
        pipes: Pipes,
        client: socket.socket,
        upstream: socket.socket,
        gone: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._client = client
        self._upstream = upstream
        self._gone = gone
        self._connected = False
        self._resumed = False
        self._forth = Flow(client, upstream, pipes)
        self._back = Flow(upstream, client, pipes)
        client.setblocking(False)

    def connect(self, target: tuple[str, int]) -> None:
        """Begin; the rest happens as the sockets become ready."""
        result = self._upstream.connect_ex(target)
        if result == errno.EINPROGRESS:
            # Over a veth the handshake is nearly always done before connect returns: asking again saves a round.
            result = self._upstream.connect_ex(target)
        if result not in (0, errno.EALREADY):
            self.abort()
            return
        self._loop.watch(self._upstream.fileno(), self._on_upstream, EDGES)
        if result == 0:
            self._establish()

    def abort(self) -> None:
        """Reset both sides: a client should see that the container is gone, not a tidy end."""
        for sock in (self._client, self._upstream):
            self._loop.forget(sock.fileno())
            _reset(sock)
        self._forth.close()
        self._back.close()
        self._gone(self)

    def _on_upstream(self, mask: int) -> None:
        if not self._connected:
            if self._upstream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.abort()
                return
            if not mask & select.EPOLLOUT:
                return
            self._establish()
        self._advance(self._back if mask & READABLE else None, self._forth if mask & WRITABLE else None)

    def _on_client(self, mask: int) -> None:
        self._advance(self._forth if mask & READABLE else None, self._back if mask & WRITABLE else None)

    def _establish(self) -> None:
        self._connected = True
        self._loop.watch(self._client.fileno(), self._on_client, EDGES)

    def _advance(self, read: Flow | None, write: Flow | None) -> None:
        """Move bytes: of the flow whose source has something, and of the one that waited for its sink."""
        again = False
        try:
            if read is not None and not read.done and not read.blocked:
                again = read.pump()
            if write is not None and write.blocked:
                again = write.pump() or again
        except OSError:
            self.abort()
            return
        if self._forth.done and self._back.done:
            self._close()
        elif again and not self._resumed:
            self._resumed = True
            self._loop.soon(self._resume)

    def _resume(self) -> None:
        self._resumed = False
        if self._client.fileno() < 0:
            return
        for flow in (self._forth, self._back):
            if self._client.fileno() >= 0:
                self._advance(flow, None)

    def _close(self) -> None:
        for sock in (self._client, self._upstream):
            self._loop.forget(sock.fileno())
            sock.close()
        self._gone(self)


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
