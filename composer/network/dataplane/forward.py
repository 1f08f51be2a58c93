"""Asks the host's resolvers on behalf of a container, over the transport the container used.

Each question gets a socket and an id of its own, both unpredictable, so that answers cannot be forged blindly (RFC 5452).
The next server is asked when one stays silent for a moment, and whoever answers first counts; after two seconds the
container hears SERVFAIL rather than nothing, since its own resolver would wait for five.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable, Sequence

from composer.network.dataplane import message
from composer.network.dataplane.loop import Loop

PATIENCE = 0.6
"""Seconds until the next server is asked as well."""
DEADLINE = 1.9
MOST_AT_ONCE = 512
_LARGEST = 65535

Done = Callable[[bytes | None], None]


class Forwarder:
    """Questions on their way; `servers` are tried in order, beginning with the one that answered last."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._under_way = 0
        self._best: dict[tuple[str, ...], str] = {}

    def ask(self, query: bytes, servers: Sequence[str], *, stream: bool, done: Done) -> None:
        """Call `done` once with the response, or with None after the deadline or when nobody can be asked."""
        if self._under_way >= MOST_AT_ONCE or not servers:
            done(None)
            return
        key = tuple(servers)
        best = self._best.get(key)
        order = sorted(key, key=lambda server: server != best)
        self._under_way += 1

        def finished(response: bytes | None, server: str) -> None:
            self._under_way -= 1
            if response is not None:
                self._best[key] = server
            done(response)

        _Exchange(self._loop, query, order, stream, finished).ask_next()


class _Exchange:
    """One question and the sockets it was sent on."""

    def __init__(
        self,
        loop: Loop,
        query: bytes,
        servers: Sequence[str],
        stream: bool,
        finished: Callable[[bytes | None, str], None],
    ) -> None:
        self._loop = loop
        self._id = query[:2]
        self._query = os.urandom(2) + query[2:]
        self._servers = [*servers, *servers] if not stream else list(servers)
        self._stream = stream
        self._finished = finished
        self._sockets: dict[socket.socket, bytes] = {}
        self._refusal: tuple[bytes, str] | None = None
        self._deadline = loop.later(DEADLINE, self._give_up)
        self._next = loop.later(PATIENCE, self.ask_next)

    def ask_next(self) -> None:
        """Ask the next server, if there is another."""
        self._next.cancel()
        while self._servers:
            server = self._servers.pop(0)
            if self._open(server):
                self._next = self._loop.later(PATIENCE, self.ask_next)
                return
        if not self._sockets:
            self._give_up()

    def _open(self, server: str) -> bool:
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = socket.SOCK_STREAM if self._stream else socket.SOCK_DGRAM
        try:
            sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        except OSError:
            return False
        try:
            sock.connect((server, 53))
        except BlockingIOError:
            pass
        except OSError:
            sock.close()
            return False
        self._sockets[sock] = b""
        if self._stream:
            handler = self._on_connected
            self._loop.watch(sock.fileno(), lambda _mask: handler(sock, server), select.EPOLLOUT)
            return True
        self._loop.watch(sock.fileno(), lambda _mask: self._on_datagram(sock, server))
        try:
            sock.send(self._query)
        except OSError:
            self._drop(sock)
            return False
        return True

    def _on_datagram(self, sock: socket.socket, server: str) -> None:
        try:
            response = sock.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:  # refused by ICMP: nobody listens there
            self._lost(sock)
            return
        self._judge(sock, server, response)

    def _on_connected(self, sock: socket.socket, server: str) -> None:
        try:
            sock.send(struct.pack(">H", len(self._query)) + self._query)
        except OSError:
            self._lost(sock)
            return
        self._loop.forget(sock.fileno())
        self._loop.watch(sock.fileno(), lambda _mask: self._on_stream(sock, server))

    def _on_stream(self, sock: socket.socket, server: str) -> None:
        try:
            data = sock.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        received = self._sockets[sock] = self._sockets[sock] + data
        if len(received) >= 2 and len(received) >= 2 + struct.unpack_from(">H", received)[0]:
            self._judge(sock, server, received[2 : 2 + struct.unpack_from(">H", received)[0]])
        elif not data:
            self._lost(sock)

    def _judge(self, sock: socket.socket, server: str, response: bytes) -> None:
        if not message.answers(self._query, response):
            return  # not for us, or forged: the right one may still come
        if message.rcode(response) in (message.SERVER_FAILURE, message.REFUSED, message.NOT_IMPLEMENTED):
            self._refusal = (self._id + response[2:], server)
            self._lost(sock)
            return
        self._end(self._id + response[2:], server)

    def _lost(self, sock: socket.socket) -> None:
        self._drop(sock)
        self.ask_next()

    def _drop(self, sock: socket.socket) -> None:
        self._loop.forget(sock.fileno())
        self._sockets.pop(sock, None)
        sock.close()

    def _give_up(self) -> None:
        response, server = self._refusal or (None, "")
        self._end(response, server)

    def _end(self, response: bytes | None, server: str) -> None:
        self._deadline.cancel()
        self._next.cancel()
        self._servers.clear()
        for sock in list(self._sockets):
            self._drop(sock)
        self._finished(response, server)
