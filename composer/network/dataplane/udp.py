"""Relays datagrams to a published port into the network's namespace.

Each client gets a socket of its own inside, as a NAT would give it a port, for as long as something passes. Answers leave
by the address that the client had written to (`IP_PKTINFO`, ip(7)): a host has several.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from composer.network.dataplane.inside import Inside
from composer.network.dataplane.loop import Loop

IDLE = 90.0
"""Seconds of silence after which a client is forgotten."""
MOST_SESSIONS = 4096
_SWEEP = 15.0
_AT_ONCE = 64
_LARGEST = 65535
_IP_PKTINFO = 8  # ip(7); the socket module has no name for it yet
_ROOM = socket.CMSG_SPACE(32)


@dataclass(slots=True)
class _Session:
    upstream: socket.socket
    client: tuple[Any, ...]
    control: list[tuple[int, int, bytes]]
    used: float


class UdpRelay:
    """One published UDP port; `listener` and `inside` belong to it."""

    def __init__(self, loop: Loop, listener: socket.socket, inside: Inside, target: tuple[str, int]) -> None:
        self._loop = loop
        self._sessions: dict[tuple[Any, bytes], _Session] = {}
        self._listen(listener, inside, target)
        self._timer = loop.later(_SWEEP, self._sweep)

    def replace(self, listener: socket.socket, inside: Inside, target: tuple[str, int]) -> None:
        """Lead datagrams elsewhere; clients are met anew if the target is another."""
        self._stop_listening()
        if target != self._target:
            self._forget_all()
        self._listen(listener, inside, target)

    def close(self) -> None:
        """Stop and forget every client."""
        self._timer.cancel()
        self._stop_listening()
        self._forget_all()

    def retire(self) -> None:
        """Hear no more clients; what the container still answers to those we know is passed on."""
        self._loop.forget(self._listener.fileno())

    @property
    def is_idle(self) -> bool:
        """Whether every client has been silent for a while."""
        return not self._sessions

    def _listen(self, listener: socket.socket, inside: Inside, target: tuple[str, int]) -> None:
        self._listener, self._inside, self._target = listener, inside, target
        listener.setblocking(False)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._loop.watch(listener.fileno(), self._on_client)

    def _stop_listening(self) -> None:
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._inside.close()

    def _on_client(self, _mask: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, control, _flags, client = self._listener.recvmsg(_LARGEST, _ROOM)
            except OSError:  # nothing more, or an ICMP error of a client that has gone
                return
            session = self._session(client, control)
            if session is not None:
                with contextlib.suppress(OSError):  # a datagram may be lost: the container does not listen, or is slow
                    session.upstream.send(data)

    def _session(self, client: tuple[Any, ...], control: list[tuple[int, int, bytes]]) -> _Session | None:
        key = (client, control[0][2] if control else b"")
        session = self._sessions.pop(key, None)
        if session is None:
            if len(self._sessions) >= MOST_SESSIONS:
                self._forget(next(iter(self._sessions)))
            try:
                upstream = self._inside.datagram()
                upstream.connect(self._target)
            except OSError:
                return None
            session = _Session(upstream, client, _answer_from(control), 0.0)
            self._loop.watch(upstream.fileno(), self._answering(session))
        session.used = time.monotonic()
        self._sessions[key] = session  # at the end: the first is always the one longest unused
        return session

    def _answering(self, session: _Session) -> Callable[[int], None]:
        def on_upstream(_mask: int) -> None:
            session.used = time.monotonic()
            for _ in range(_AT_ONCE):
                try:
                    data = session.upstream.recv(_LARGEST)
                except OSError:  # nothing more, or the container does not listen (ICMP)
                    return
                with contextlib.suppress(OSError):
                    self._listener.sendmsg([data], session.control, 0, session.client)

        return on_upstream

    def _sweep(self) -> None:
        oldest = time.monotonic() - IDLE
        for key in [key for key, session in self._sessions.items() if session.used < oldest]:
            self._forget(key)
        self._timer = self._loop.later(_SWEEP, self._sweep)

    def _forget(self, key: tuple[Any, bytes]) -> None:
        upstream = self._sessions.pop(key).upstream
        self._loop.forget(upstream.fileno())
        upstream.close()

    def _forget_all(self) -> None:
        for key in list(self._sessions):
            self._forget(key)


def _answer_from(control: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """The control message that makes an answer leave by the address the client wrote to."""
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return [(level, kind, bytes(4) + data[4:8] + bytes(4))]  # any link, this source address
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return [(level, kind, data)]
    return []
