"""A container's resolver: it answers on the two sockets that the container's init opened in its namespace.

The sockets are the identity: what arrives on them comes from that container and no other, so they decide which
networks' names are seen. Names of those networks are answered here; the rest is forwarded, unless all of the networks are
internal: then there is no such name.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from composer.network.dataplane import message, names
from composer.network.dataplane.forward import Forwarder
from composer.network.dataplane.loop import Loop

_AT_ONCE = 32
_LARGEST = 65535
MOST_CONNECTIONS = 32
IDLE = 10.0
"""Seconds after which a TCP connection without a question is closed (RFC 7766)."""
_MOST_UNSENT = 1 << 18

Respond = Callable[[bytes], None]


class Resolver:
    """One container's DNS; the sockets belong to it.

    `zones` is everybody's, by network id; `upstream` gives the host's resolvers.
    """

    def __init__(
        self,
        loop: Loop,
        forwarder: Forwarder,
        zones: Mapping[str, names.Zone],
        upstream: Callable[[], Sequence[str]],
        sockets: tuple[socket.socket, socket.socket],
        meta: Mapping[str, Any],
    ) -> None:
        self._loop = loop
        self._forwarder = forwarder
        self._zones = zones
        self._host_resolvers = upstream
        self._networks: tuple[str, ...] = tuple(meta.get("networks", ()))
        self._upstream: tuple[str, ...] = tuple(meta.get("upstream", ()))
        self._search = tuple(names.suffixes(meta.get("search", ())))
        self._udp, self._tcp = sockets
        self._connections: set[_Stream] = set()
        for sock in sockets:
            sock.setblocking(False)
        loop.watch(self._udp.fileno(), self._on_datagram)
        loop.watch(self._tcp.fileno(), self._on_connection)

    def close(self) -> None:
        """Stop answering; closes the sockets, which keep the container's namespace alive."""
        for sock in (self._udp, self._tcp):
            self._loop.forget(sock.fileno())
            sock.close()
        for connection in list(self._connections):
            connection.close()

    def retire(self) -> None:
        """Hear no more questions; those that are being answered are."""
        for sock in (self._udp, self._tcp):
            self._loop.forget(sock.fileno())

    @property
    def is_idle(self) -> bool:
        """Whether nobody is connected. Questions by datagram are answered within two seconds."""
        return not self._connections

    def answer(self, data: bytes, respond: Respond, *, stream: bool) -> None:
        """Call `respond` with the answer to a message, now or within two seconds; with nothing if it deserves none."""
        try:
            query = message.parse(data)
        except message.MalformedError as problem:
            if response := message.failure(problem):
                respond(response)
            return
        zones = [self._zones[network] for network in self._networks if network in self._zones]
        limit = _LARGEST if stream else query.limit
        records = names.find(zones, query.name, query.type) if query.kind == message.INTERNET else None
        if records is not None:
            respond(message.reply(query, message.NO_ERROR, records, limit))
            return
        # A resolver with a search list may ask for `web.example.com` when `web` was meant: the outside goes first.
        short = names.without_suffix(query.name, self._search)
        meant = names.find(zones, short, query.type) if short else None

        def forwarded(response: bytes | None) -> None:
            if meant is not None and (response is None or message.rcode(response) != message.NO_ERROR):
                response = message.reply(query, message.NO_ERROR, meant, limit)
            respond(response or message.reply(query, message.SERVER_FAILURE))

        if all(zone.internal for zone in zones):
            kept = message.NO_ERROR if meant is not None else message.NAME_ERROR
            respond(message.reply(query, kept, meant or (), limit))
        else:
            servers = self._upstream or self._host_resolvers()
            self._forwarder.ask(data, servers, stream=stream, done=forwarded)

    def forget(self, connection: _Stream) -> None:
        """A connection has closed itself."""
        self._connections.discard(connection)

    def _on_datagram(self, _mask: int) -> None:
        sock = self._udp
        for _ in range(_AT_ONCE):
            try:
                data, client = sock.recvfrom(_LARGEST)
            except OSError:  # nothing more
                return

            def respond(response: bytes, client: Any = client) -> None:
                with contextlib.suppress(OSError):  # the container may be gone by now, its socket closed
                    sock.sendto(response, client)

            self.answer(data, respond, stream=False)

    def _on_connection(self, _mask: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, _address = self._tcp.accept()
            except OSError:
                return
            if len(self._connections) >= MOST_CONNECTIONS:
                client.close()
                continue
            self._connections.add(_Stream(self._loop, self, client))


class _Stream:
    """Questions over TCP, each with its length before it; answers may come in another order (RFC 7766)."""

    def __init__(self, loop: Loop, resolver: Resolver, sock: socket.socket) -> None:
        self._loop = loop
        self._resolver = resolver
        self._sock = sock
        self._received = b""
        self._unsent = b""
        sock.setblocking(False)
        loop.watch(sock.fileno(), self._on_event)
        self._timer = loop.later(IDLE, self.close)

    def close(self) -> None:
        """End it; a second time is fine."""
        if self._sock.fileno() < 0:
            return
        self._timer.cancel()
        self._loop.forget(self._sock.fileno())
        self._sock.close()
        self._resolver.forget(self)

    def _on_event(self, mask: int) -> None:
        if mask & select.EPOLLOUT:
            self._flush()
        if mask & ~select.EPOLLOUT:
            self._read()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._timer.cancel()
        self._timer = self._loop.later(IDLE, self.close)
        self._received += data
        while len(self._received) >= 2:
            end = 2 + struct.unpack_from(">H", self._received)[0]
            if len(self._received) < end:
                return
            query, self._received = self._received[2:end], self._received[end:]
            self._resolver.answer(query, self._respond, stream=True)

    def _respond(self, response: bytes) -> None:
        if self._sock.fileno() < 0:
            return
        self._unsent += struct.pack(">H", len(response)) + response
        if len(self._unsent) > _MOST_UNSENT:  # it asks and asks, and never reads
            self.close()
        else:
            self._flush()

    def _flush(self) -> None:
        if self._sock.fileno() < 0:
            return
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :] if self._unsent else b""
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._loop.change(self._sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if self._unsent else 0))
