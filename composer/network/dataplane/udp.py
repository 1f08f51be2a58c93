"""Relays datagrams between this machine and a network's namespace: to a published port, or from containers to the outside.

Each client gets a socket of its own for whom it writes to, as a NAT would give it a port, for as long as something passes.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from composer.network.dataplane import inward, outward
from composer.network.dataplane.inward import Control, Inward
from composer.network.dataplane.loop import Loop
from composer.network.dataplane.outward import Outward

IDLE = 90.0
"""Seconds of silence after which a client is forgotten."""
MOST_SESSIONS = 4096
_SWEEP = 15.0
_AT_ONCE = 64
_LARGEST = 65535
_ROOM = socket.CMSG_SPACE(32)


@dataclass(slots=True)
class _Session:
    upstream: socket.socket
    answers: inward.Answers | outward.Answers
    used: float


class UdpRelay:
    """The datagrams of one socket; that and the way belong to it."""

    def __init__(self, loop: Loop, listener: socket.socket, way: Inward | Outward) -> None:
        self._loop = loop
        self._sessions: dict[tuple[Any, bytes], _Session] = {}
        self._listen(listener, way)
        self._timer = loop.later(_SWEEP, self._sweep)

    def replace(self, listener: socket.socket, way: Inward | Outward) -> None:
        """Lead datagrams elsewhere; clients are met anew if the target is another."""
        self._stop_listening()
        if way.target != self._way.target:
            self._forget_all()
        self._listen(listener, way)

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

    def _listen(self, listener: socket.socket, way: Inward | Outward) -> None:
        self._listener, self._way = listener, way
        listener.setblocking(False)
        way.prepare(listener)
        self._loop.watch(listener.fileno(), self._on_client)

    def _stop_listening(self) -> None:
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._way.close()

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

    def _session(self, client: tuple[Any, ...], control: Control) -> _Session | None:
        key = (client, control[0][2] if control else b"")
        session = self._sessions.pop(key, None)
        if session is None:
            if len(self._sessions) >= MOST_SESSIONS:
                self._forget(next(iter(self._sessions)))
            try:
                upstream, answers = self._way.datagrams(client, control)
            except OSError:
                return None
            session = _Session(upstream, answers, 0.0)
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
                session.answers.send(self._listener, data)

        return on_upstream

    def _sweep(self) -> None:
        oldest = time.monotonic() - IDLE
        for key in [key for key, session in self._sessions.items() if session.used < oldest]:
            self._forget(key)
        self._timer = self._loop.later(_SWEEP, self._sweep)

    def _forget(self, key: tuple[Any, bytes]) -> None:
        session = self._sessions.pop(key)
        self._loop.forget(session.upstream.fileno())
        session.upstream.close()
        session.answers.close()

    def _forget_all(self) -> None:
        for key in list(self._sessions):
            self._forget(key)
