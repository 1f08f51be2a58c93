"""Connections that stop being HTTP: after `101 UPGRADED` both sides speak the frames of `api.stream`.

The session at the other end is `engine.sessions.Session`: bytes in, frames out, no sockets.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

from composer.api.stream import CONTROL, STDIN, Decoder
from composer.server.http import Request

_HIGH_WATER = 1 << 20


class Session(Protocol):
    """A process's side of the conversation."""

    def start(self, send: Connection) -> None:
        """Frames may be sent from now on."""

    def stdin(self, data: bytes) -> None:
        """Input for the process; empty is its end."""

    def control(self, message: dict[str, object]) -> None:
        """A resize or a signal."""

    def closed(self) -> None:
        """The client is gone."""


class Connection(asyncio.Protocol):
    """The unix socket after the upgrade."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.finished = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._session.start(self)

    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._decoder.feed(data):
                if kind == STDIN:
                    self._session.stdin(payload)
                elif kind == CONTROL:
                    self._session.control(json.loads(payload))
        except ValueError:
            self.close()

    def eof_received(self) -> bool:
        self._session.stdin(b"")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        self.finished.set()
        self._session.closed()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def send(self, frame: bytes) -> None:
        """Send one frame; waits while the client is behind. A client that left loses it."""
        await self._writable.wait()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self) -> None:
        """Send what is left, then end the connection."""
        if self._transport is not None:
            self._transport.close()

    def pause_reading(self) -> None:
        """The process does not take its input: stop reading it from the client."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """The process takes input again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


async def serve(request: Request, session: Session) -> None:
    """Answer 101, hand the connection to `session`, and return when it is over."""
    connection = Connection(session)
    try:
        request.connection.give_to(connection)
    except ConnectionResetError:
        session.closed()
        raise
    try:
        await connection.finished.wait()
    finally:
        connection.close()
