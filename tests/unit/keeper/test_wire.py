import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.keeper import wire
from composer.keeper.outbox import Outbox

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield left, right
    left.close()
    right.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_message_arrives_with_its_descriptors(pair: Pair) -> None:
    reading, writing = os.pipe()
    wire.send(pair[0], {"a": [1, "ü"]}, [writing])
    os.close(writing)

    received = wire.receive(pair[1])

    assert received is not None
    message, (copy,) = received
    os.write(copy, b"through")
    os.close(copy)
    assert (message, os.read(reading, 100)) == ({"a": [1, "ü"]}, b"through")
    os.close(reading)


@pytest.mark.parametrize("size", [wire.LARGEST_PACKET - 20, wire.LARGEST_PACKET, 3_000_000])
def test_a_message_may_be_large(pair: Pair, size: int) -> None:
    before = open_descriptors()
    wire.send(pair[0], {"a": "x" * size})

    assert wire.receive(pair[1]) == ({"a": "x" * size}, [])
    assert open_descriptors() == before


def test_the_end_of_the_stream_is_none(pair: Pair) -> None:
    pair[0].close()

    assert wire.receive(pair[1]) is None


@pytest.mark.parametrize(
    "packet",
    [b"J", b"J{", b"J[]", b"J1", b"M", b"J" + b"[" * 60000, b"\xff\xfe", b"J\xff", b"x", b"J{}" + b" " * 70000],
)
def test_garbage_is_refused_and_its_descriptors_closed(pair: Pair, packet: bytes) -> None:
    before = open_descriptors()
    with Path("/dev/null").open() as null:
        socket.send_fds(pair[0], [packet], [null.fileno()])

    with pytest.raises(ValueError):
        wire.receive(pair[1])
    assert open_descriptors() == before


def test_an_outbox_keeps_order_and_descriptors_while_nobody_reads(pair: Pair) -> None:
    left, right = pair
    left.setblocking(False)
    outbox = Outbox(left)
    reading, writing = os.pipe()
    for number in range(50):
        outbox.send({"number": number, "filler": "x" * 30_000}, [writing])
    os.close(writing)
    assert outbox

    numbers: list[int] = []
    while len(numbers) < 50:
        received = wire.receive(right)
        assert received is not None
        numbers.append(received[0]["number"])
        os.close(received[1][0])
        outbox.flush()

    assert numbers == list(range(50))
    assert not outbox
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_an_address_may_be_longer_than_the_kernel_allows(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "socket"
    path.parent.mkdir()
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client,
    ):
        with wire.short_name(path) as name:
            server.bind(name)
        server.listen()
        wire.connect(client, path)
        accepted, _ = server.accept()
        accepted.close()

    assert path.is_socket()
