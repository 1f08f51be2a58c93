from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from composer.api.messages import Event, Result
from composer.server import http
from composer.server.answers import events
from composer.server.http import Answer, Handler, Request, Server, answer
from composer.server.table import Table, with_middleware
from composer.unbroken import whole

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


@asynccontextmanager
async def serving(socket: Path, handler: Handler) -> AsyncIterator[Server]:
    server = Server(handler)
    await server.listen(socket)
    try:
        yield server
    finally:
        await server.close(0)


async def ask(socket: Path, *pieces: bytes) -> bytes:
    """All that is answered to a request that comes in these pieces."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    data = await reader.read()
    writer.close()
    return data


def asked(socket: Path, handler: Handler, *pieces: bytes) -> bytes:
    async def scenario() -> bytes:
        async with serving(socket, handler):
            return await ask(socket, *pieces)

    data: bytes = run(scenario())
    return data


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario, 30))


async def echo(request: Request) -> Answer:
    return answer([request.method, request.path, request.query, request.places, request.json()])


GET = b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n"


def test_the_socket_is_its_users_own(socket: Path) -> None:
    async def scenario() -> int:
        async with serving(socket, echo):
            return socket.stat().st_mode

    assert stat.S_IMODE(run(scenario())) == 0o600


def test_a_request_is_answered_and_the_connection_ended(socket: Path) -> None:
    data = asked(socket, echo, b"GET /a?b=1&b=2&c= HTTP/1.1\r\n\r\n")

    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in head
    assert body == b'["GET", "/a", {"b": ["1", "2"], "c": [""]}, {}, {}]'


@pytest.mark.parametrize(
    "message",
    [
        b'POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\n{"a": 1}',
        b'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n',
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_body_is_read_whatever_the_pieces_it_comes_in(socket: Path, message: bytes, piece: int) -> None:
    pieces = [message[start : start + piece] for start in range(0, len(message), piece)]

    assert asked(socket, echo, *pieces).endswith(b'{"a": 1}]')


def test_a_client_that_asks_first_is_told_to_send_its_body(socket: Path) -> None:
    async def scenario() -> bytes:
        async with serving(socket, echo):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            interim = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"{}")
            data = await reader.read()
            writer.close()
            return interim + data

    assert run(scenario()).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"SSH-2.0-client\r\n\r\n", 400),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"GET /" + b"x" * 70000, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", 413),
    ],
)
def test_what_is_no_request_or_too_large_is_refused(socket: Path, message: bytes, status: int) -> None:
    assert asked(socket, echo, message).startswith(b"HTTP/1.1 %d " % status)


def test_a_body_without_a_length_may_not_grow_for_ever(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_REQUEST", 10)
    chunks = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4\r\nabcd\r\n" * 3

    assert asked(socket, echo, chunks).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_a_stream_comes_whole_to_whoever_reads_slowly(socket: Path, size: int) -> None:
    async def stream(request: Request) -> None:
        request.connection.begin("text/plain")
        for _ in range(3):
            await request.connection.send(b"~" * size if size else b"-")
        request.connection.finish()

    data = asked(socket, stream, GET)

    assert b"Transfer-Encoding: chunked" in data
    assert data.count(b"~") == 3 * size
    assert data.endswith(b"\r\n0\r\n\r\n")


def test_a_stream_that_fails_does_not_look_like_one_that_ends(socket: Path) -> None:
    async def stream(request: Request) -> Answer:
        request.connection.begin("text/plain")
        await request.connection.send(b"some")
        return answer({"error": "of this"}, 500)

    async def scenario() -> bytes:
        async with serving(socket, stream):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(GET)
            data = await reader.readuntil(b"some\r\n")
            writer.close()
            return data + await reader.read()

    assert run(scenario()).endswith(b"4\r\nsome\r\n")


def test_a_client_that_hangs_up_gives_its_request_up(socket: Path) -> None:
    given_up = asyncio.Event()

    async def wait(request: Request) -> None:
        request.connection.begin("text/plain")
        await request.connection.send(b"here")
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async def scenario() -> None:
        async with serving(socket, wait) as server:
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(GET)
            await reader.readuntil(b"here")
            assert len(server.connections) == 1
            writer.close()
            await given_up.wait()
            assert not server.connections

    run(scenario())


def test_a_connection_that_is_given_away_speaks_something_else(socket: Path) -> None:
    class Louder(asyncio.Protocol):
        transport: asyncio.Transport

        def __init__(self, over: asyncio.Event) -> None:
            self._over = over

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data.upper())

        def connection_lost(self, exc: Exception | None) -> None:
            self._over.set()

    async def upgrade(request: Request) -> None:
        await asyncio.sleep(0)  # what comes until then waits
        over = asyncio.Event()
        request.connection.give_to(Louder(over))
        await over.wait()

    async def scenario() -> bytes:
        async with serving(socket, upgrade):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"loud")
            data = await reader.readexactly(4)
            writer.close()
            return data

    assert run(scenario()) == b"LOUD"


async def closed(socket: Path, patience: float, began: asyncio.Event, handler: Handler) -> bytes:
    """What is answered to a request that was begun when its server closes."""
    server = Server(handler)
    await server.listen(socket)
    asking = asyncio.create_task(ask(socket, GET))
    await began.wait()
    await server.close(patience)
    return await asking


def test_a_server_that_closes_has_patience_with_what_is_under_way(socket: Path) -> None:
    began = asyncio.Event()

    async def soon(request: Request) -> Answer:
        began.set()
        await asyncio.sleep(0.01)
        return Answer(200, b"done" * 100_000)

    assert run(closed(socket, 20, began, soon)).endswith(b"done")


def test_a_server_that_closes_does_not_wait_for_ever(socket: Path) -> None:
    began = asyncio.Event()

    async def never(request: Request) -> None:
        began.set()
        await asyncio.Event().wait()

    assert run(closed(socket, 0, began, never)) == b""


def test_a_server_is_closed_when_work_has_ended_whose_clients_have_left(socket: Path) -> None:
    given_up, go_on = asyncio.Event(), asyncio.Event()
    said: list[str] = []

    async def work(emit: Callable[[Event], None]) -> Result:
        emit(Event("project", "shop", "begun"))
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
            await whole(wind_down())
        raise AssertionError("nobody ends it well")

    async def wind_down() -> None:
        await go_on.wait()
        said.append("wound down")

    async def scenario() -> None:
        server = Server(lambda request: events(request, work))
        await server.listen(socket)
        reader, writer = await asyncio.open_unix_connection(str(socket))
        writer.write(GET)
        await reader.readuntil(b"begun")
        writer.close()
        await given_up.wait()
        closing = asyncio.create_task(server.close(0))
        await asyncio.sleep(0.01)
        go_on.set()
        await closing

        assert said == ["wound down"]

    run(scenario())


@pytest.mark.parametrize(
    ("line", "status", "body"),
    [
        ("GET /a/x%2Fy/b", 200, b'["GET", "/a/x%2Fy/b", {}, {"place": "x/y"}, {}]'),
        ("POST /a/x/b", 405, b""),
        ("GET /a/x", 404, b""),
        ("GET /", 404, b""),
    ],
)
def test_a_route_has_places(socket: Path, line: str, status: int, body: bytes) -> None:
    data = asked(socket, Table({"GET /a/{place}/b": echo}), f"{line} HTTP/1.1\r\n\r\n".encode())

    assert data.startswith(b"HTTP/1.1 %d " % status)
    assert data.endswith(body)


def test_the_first_middleware_is_the_outermost(socket: Path) -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[Request, Handler], Coroutine[Any, Any, Answer | None]]:
        async def middleware(request: Request, handler: Handler) -> Answer | None:
            order.append(name)
            return await handler(request)

        return middleware

    asked(socket, with_middleware(echo, named("outer"), named("inner")), GET)

    assert order == ["outer", "inner"]
