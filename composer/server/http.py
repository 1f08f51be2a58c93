"""HTTP/1.1 on the engine's unix socket, as much of RFC 9112 as our own client, `curl` and the like speak.

A connection carries one request, and the answer says so (`Connection: close`): connecting to a unix socket is a matter of
microseconds, and a client that hangs up gives its request up at whatever point it is. A general server would cost the engine a
fifth of its memory.

The reading half is the client's own: `api.connection.Reader`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from composer.api.connection import Reader

log = logging.getLogger("composer.server")

LARGEST_REQUEST = 64 << 20
_MOST_AHEAD = 1 << 16
"""Bytes that a client may send behind its request, for whoever takes the connection over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is there as a whole."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"


def answer(value: Any, status: int = 200) -> Answer:
    """`value` as JSON."""
    return Answer(status, json.dumps(value).encode())


@dataclass(slots=True, eq=False)
class Request:
    """What a client asks, and the connection that it waits on."""

    connection: Connection
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes
    places: dict[str, str] = field(default_factory=dict)
    """What stands in the path for each `{name}` of its route."""

    def json(self) -> dict[str, Any]:
        """The body, which is a JSON object or nothing at all. Raises ValueError."""
        value = json.loads(self.body) if self.body else {}
        if not isinstance(value, dict):
            raise ValueError("a request is a JSON object")
        return value

    def last(self, name: str, default: str = "") -> str:
        """A parameter of the query."""
        return self.query.get(name, [default])[-1]


Handler = Callable[[Request], Awaitable[Answer | None]]
"""Answers a request: with what it returns, or itself over `request.connection`, and then with None."""


class Connection(asyncio.Protocol):
    """One client: reads its request, has it handled, writes the answer. Streams are begun, sent in pieces and ended."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reader = _RequestReader()
        self._body = bytearray()
        self._ahead = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._begun = self._given_away = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # writable again means that all has been taken
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._task is not None:
            self._ahead += data
            if len(self._ahead) > _MOST_AHEAD:
                self.abort()
            return
        had_head = self._reader.begun
        try:
            self._body += self._reader.feed(data)
            if self._reader.begun and self._reader.length < 0:
                raise ValueError("a body of less than nothing")
            if max(len(self._body), self._reader.length) > LARGEST_REQUEST:
                self._refuse(413, f"more than {LARGEST_REQUEST} bytes")
                return
        except ValueError as error:
            self._refuse(400, str(error))
            return
        if self._reader.complete:
            self._task = self._server.begin(self._serve())
        elif self._reader.begun and not had_head and self._reader.headers.get("expect", "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def peer(self) -> int:
        """The client's pid, 0 for one that we cannot see: the first word of `struct ucred` (`unix(7)`)."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        return struct.unpack("=i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4))[0] if sock else 0

    def begin(self, content_type: str) -> None:
        """Write the head of an answer that comes in pieces."""
        self._begun = True
        self._write(_head(200, f"Content-Type: {content_type}", "Transfer-Encoding: chunked"))

    async def send(self, piece: bytes) -> None:
        """Send some of it; waits while the client is behind. Raises ConnectionResetError when that has left."""
        await self._writable.wait()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def finish(self) -> None:
        """Say that this was all of it: without, the client knows that something is missing."""
        self._write(b"0\r\n\r\n")

    def give_to(self, protocol: asyncio.Protocol) -> None:
        """Answer 101 and have `protocol` speak with the client from now on."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: composer\r\n\r\n")
        self._given_away = True
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._ahead:
            protocol.data_received(bytes(self._ahead))

    def abort(self) -> None:
        """Cut the connection, at whatever point it is."""
        if self._transport is not None:
            self._transport.abort()

    async def end(self, patience: float) -> None:
        """Return when the request is over, given up after `patience` seconds."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=patience)
            self._task.cancel()
            await asyncio.wait([self._task])
        self.abort()

    async def _serve(self) -> None:
        reader = self._reader
        path, _, query = reader.target.partition("?")
        request = Request(
            self, reader.method, path, parse_qs(query, keep_blank_values=True), reader.headers, bytes(self._body)
        )
        self._body.clear()
        try:
            if (answered := await self._server.handle(request)) is not None:
                self._answer(answered)
            await self._writable.wait()
        except ConnectionResetError:
            pass  # nobody to tell
        except Exception:
            log.exception("%s %s", request.method, request.path)
            self.abort()
        finally:
            if self._given_away:
                self._server.connections.discard(self)
            elif self._transport is not None:
                self._transport.close()

    def _refuse(self, status: int, why: str) -> None:
        self._answer(Answer(status, f"{why}\n".encode(), "text/plain; charset=utf-8"))
        if self._transport is not None:
            self._transport.close()

    def _answer(self, answer: Answer) -> None:
        if self._begun:  # something failed on the way: a part is not to look like the whole
            self.abort()
            return
        head = _head(answer.status, f"Content-Type: {answer.content_type}", f"Content-Length: {len(answer.body)}")
        self._write(head + answer.body)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class _RequestReader(Reader):
    """A request taking shape."""

    def __init__(self) -> None:
        super().__init__()
        self.method = self.target = ""

    def _read_first(self, line: str) -> int:
        self.method, target, version = [*line.split(" "), "", ""][:3]
        if not version.startswith("HTTP/1.") or not target.startswith("/"):
            raise ValueError(f"not HTTP: {line[:40]!r}")
        self.target = target
        return 0


class Server:
    """Listens on a unix socket and has each request handled."""

    def __init__(self, handle: Handler) -> None:
        self.handle = handle
        self.connections: set[Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        """Requests under way: those too whose clients have left."""
        self._server: asyncio.Server | None = None

    async def listen(self, path: Path) -> None:
        """Take connections on a socket of mode 0600: whoever may connect is our user."""
        path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            self._server = await asyncio.get_running_loop().create_unix_server(lambda: Connection(self), str(path))
        finally:
            os.umask(previous)

    def stop(self) -> None:
        """Take no new connections."""
        if self._server is not None:
            self._server.close()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin to serve a request."""
        task = asyncio.create_task(work)
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return task

    async def close(self, patience: float) -> None:
        """End what is under way, after some seconds' patience; return when nothing of it goes on."""
        self.stop()
        await asyncio.gather(*(connection.end(patience) for connection in self.connections))
        for task in self._serving:
            task.cancel()  # a client that left has ended it already: for what is finished over that there is no time now
        if self._serving:
            await asyncio.wait(self._serving)


def _head(status: int, *lines: str) -> bytes:
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return "\r\n".join([first, *lines, "Connection: close", "", ""]).encode("ascii")
