import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.api.connection import EngineLost, Reader, Response, send

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n world\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_chunks_are_read_whatever_the_pieces_they_come_in(piece: int) -> None:
    reader, body = Reader(), b""
    for start in range(0, len(CHUNKED), piece):
        body += reader.feed(CHUNKED[start : start + piece])

    assert body == b"hello world\n"
    assert reader.complete


def test_a_body_of_known_length_ends_there() -> None:
    reader = Reader()

    assert reader.feed(b"HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nnope and more") == b"nope"
    assert (reader.status, reader.complete) == (409, True)


def test_a_body_without_length_ends_with_the_connection() -> None:
    reader = Reader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\nsome")

    assert not reader.complete
    reader.end()
    assert reader.complete


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", CHUNKED[:-5]])
def test_an_answer_that_breaks_off_is_told_from_one_that_ends(head: bytes) -> None:
    reader = Reader()
    reader.feed(head)

    with pytest.raises(EngineLost):
        reader.end()


@pytest.mark.parametrize("nonsense", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 70000])
def test_what_is_not_http_is_refused(nonsense: bytes) -> None:
    with pytest.raises(ValueError):
        Reader().feed(nonsense)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Response]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs, Response(ours)


def test_the_head_takes_nothing_of_the_body_so_that_selectors_see_it(pair: tuple[socket.socket, Response]) -> None:
    engine, response = pair
    engine.sendall(b"HTTP/1.1 101 Switching\r\n\r\nearly frame")

    assert response.begin().status == 101
    assert response.socket.recv(100) == b"early frame"


def test_a_line_is_given_once_it_is_whole(pair: tuple[socket.socket, Response]) -> None:
    engine, response = pair
    engine.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    response.begin()

    engine.sendall(b'6\r\n{"a":1\r\n')
    assert response.poll() == []
    engine.sendall(b'4\r\n}\n{"\r\n')
    assert response.poll() == [b'{"a":1}']


def test_a_peer_that_says_nothing_is_lost(pair: tuple[socket.socket, Response]) -> None:
    engine, response = pair
    engine.close()

    with pytest.raises(EngineLost):
        response.begin()


def test_nobody_listening_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        send(tmp_path / "none.sock", "GET", "/version")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(ConnectionRefusedError):
        send(tmp_path / "dead.sock", "GET", "/version")


def test_a_request_is_http_that_anybody_can_read(tmp_path: Path) -> None:
    asked = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        response = send(tmp_path / "s", "POST", "/projects/shop/up", b"{}")
        thread.join()

    assert response.read() == b""
    assert asked == [
        b"POST /projects/shop/up HTTP/1.1\r\nHost: engine\r\nContent-Length: 2\r\n"
        b"Content-Type: application/json\r\nConnection: close\r\n\r\n{}"
    ]
