"""The way out of networks without an uplink: the data plane passes on what containers send to the outside."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from composer.network.spec import NetworkSpec
from tests.fakes.links import Child, eventually
from tests.kernel.network_lab import (
    HOST,
    OUTSIDE,
    Lab,
    ask,
    connect,
    datagram_echo,
    open_files,
    read_all,
    says,
    serve,
    who,
)
from tests.patience import PATIENCE

pytestmark = pytest.mark.kernel

NET, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
GATEWAY = "172.30.0.1"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        lab = Lab(stack, tmp_path, privileged=False)
        lab.host.run("ip", "route", "add", "default", "via", OUTSIDE, check=True)
        yield lab


@pytest.fixture
def box(lab: Lab) -> Child:
    return lab.container("c1", (lab.network(NET), "172.30.0.2"))


def datagrams(where: Child) -> socket.socket:
    with where.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    return sock


def test_a_connection_goes_out_by_an_address_of_this_machine(lab: Lab, box: Child) -> None:
    serve(lab, lab.outside, 80)
    serve(lab, lab.outside, 81, who)
    lab.start_plane()

    assert ask(box, OUTSIDE, 80) == b"hello"
    assert ask(box, OUTSIDE, 81) == HOST.encode()


def test_what_is_large_arrives_whole_and_ends_when_either_side_does(lab: Lab, box: Child) -> None:
    serve(lab, lab.outside, 80)
    lab.start_plane()
    data = bytes(range(256)) * 40_000

    with connect(box, OUTSIDE, 80) as sock:
        received = b""
        for at in range(0, len(data), 1 << 20):
            sock.sendall(data[at : at + (1 << 20)])
        sock.shutdown(socket.SHUT_WR)
        received = read_all(sock)

    assert received == data


def test_a_port_where_nobody_listens_resets_the_connection(lab: Lab, box: Child) -> None:
    lab.start_plane()

    with pytest.raises(ConnectionResetError), connect(box, OUTSIDE, 9) as sock:
        sock.recv(1)


def test_datagrams_are_answered_by_whom_they_went_to(lab: Lab, box: Child) -> None:
    for port in (53, 123):
        serve(lab, lab.outside, port, datagram_echo, "udp")
    lab.start_plane()

    with datagrams(box) as sock:
        for word, port in ((b"one", 53), (b"two", 123), (b"three", 53)):
            sock.sendto(word, (OUTSIDE, port))
            assert sock.recvfrom(99) == (word, (OUTSIDE, port))


def test_a_second_client_of_the_same_server_has_its_own_answers(lab: Lab) -> None:
    net = lab.network(NET)
    boxes = [lab.container("c1", (net, "172.30.0.2")), lab.container("c2", (net, "172.30.0.3"))]
    serve(lab, lab.outside, 53, datagram_echo, "udp")
    lab.start_plane()

    with datagrams(boxes[0]) as one, datagrams(boxes[1]) as two:
        for sock, word in ((one, b"one"), (two, b"two")):
            sock.sendto(word, (OUTSIDE, 53))
        assert (one.recv(99), two.recv(99)) == (b"one", b"two")


def test_the_gateway_is_this_machine_but_not_what_it_keeps_to_itself(lab: Lab, box: Child) -> None:
    serve(lab, lab.host, 80, says("open"))
    serve(lab, lab.host, 81, says("private"), ip="127.0.0.1")
    lab.start_plane()

    assert ask(box, GATEWAY, 80) == b"open"
    with pytest.raises(ConnectionResetError):
        ask(box, GATEWAY, 81)


def test_what_is_sent_to_many_stays_inside(lab: Lab, box: Child) -> None:
    heard = serve(lab, lab.outside, 5353, datagram_echo, "udp").socket
    heard.setsockopt(
        socket.SOL_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + socket.inet_aton(OUTSIDE)
    )
    lab.start_plane()
    lab.host.run("ip", "route", "add", "224.0.0.0/4", "dev", "wan", check=True)

    with datagrams(box) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for address in ("224.0.0.251", "255.255.255.255"):
            sock.sendto(b"who is there", (address, 5353))
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(99)


def test_a_ping_is_refused_rather_than_answered_in_another_s_name(lab: Lab, box: Child) -> None:
    with box.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.settimeout(PATIENCE)
    with sock:
        sock.sendto(bytes.fromhex("0800f7ff00000000"), (OUTSIDE, 0))
        answer = sock.recv(999)

    prohibited = (3, 13)
    assert struct.unpack_from("BB", answer, 20) == prohibited


def test_an_internal_network_has_no_way_out_and_networks_stay_apart(lab: Lab, box: Child) -> None:
    serve(lab, lab.outside, 80)
    inner = lab.container("c2", (lab.network(OTHER, "172.31.0.0/24", internal=True), "172.31.0.2"))
    serve(lab, inner, 80)
    lab.start_plane()

    with pytest.raises(OSError, match="unreachable"):
        connect(inner, OUTSIDE, 80)
    with connect(box, "172.31.0.2", 80) as sock:
        sock.sendall(b"hello")
        sock.settimeout(0.5)
        with pytest.raises(OSError):  # who gets it on this machine's network says no, or nothing
            sock.recv(1)


def test_a_data_plane_that_dies_is_replaced_and_nothing_is_left_of_a_removed_network(lab: Lab) -> None:
    net: NetworkSpec = lab.network(NET)
    box = lab.container("c1", (net, "172.30.0.2"))
    serve(lab, lab.outside, 80)
    lab.start_plane().kill()
    plane = lab.start_plane()
    assert ask(box, OUTSIDE, 80) == b"hello"
    before = open_files(plane.pid)

    lab.do(lab.networks.remove(NET))

    assert eventually(lambda: open_files(plane.pid) < before)
    assert not [name for name in lab.store.store if NET in name]
