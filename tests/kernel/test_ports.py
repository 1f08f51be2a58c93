"""Published ports: the relay in the data plane, and the kernel's own translation beside it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from composer.errors import HostError, KeeperLostError
from composer.network import ports
from composer.network.publishing import Publishing
from composer.network.spec import NetworkSpec
from tests.fakes.links import Child, eventually
from tests.kernel.network_lab import (
    HOST,
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

NET = "aaaaaaaaaaaa"
TARGET = "172.30.0.2"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(stack, tmp_path)


@pytest.fixture
def net(lab: Lab) -> NetworkSpec:
    return lab.network(NET)


@pytest.fixture
def web(lab: Lab, net: NetworkSpec) -> Child:
    return lab.container("c1", (net, TARGET))


def datagram(where: Child, address: str, port: int, data: bytes = b"hello") -> tuple[bytes, str]:
    """What comes back and from which address."""
    with where.inside():
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(PATIENCE)
        sock.sendto(data, (address, port))
        answer, sender = sock.recvfrom(65535)
        return answer, sender[0]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.5", HOST, "::1"])
def test_a_published_port_is_relayed_from_every_address_of_the_host(
    lab: Lab, net: NetworkSpec, web: Child, address: str
) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.without_accelerator()
    lab.start_plane()

    assert ask(lab.host, address, 8080) == b"hello"


def test_a_published_port_is_relayed_from_outside(lab: Lab, net: NetworkSpec, web: Child) -> None:
    serve(lab, web, 80, who)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()

    assert ask(lab.outside, HOST, 8080) == str(net.gateway).encode()


@pytest.mark.parametrize("address", ["127.0.0.1", HOST])
def test_the_kernel_leads_connections_of_this_host_without_the_data_plane(
    lab: Lab, net: NetworkSpec, web: Child, address: str
) -> None:
    serve(lab, web, 80, who)
    serve(lab, web, 53, datagram_echo, "udp")
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.publish("c1", net, TARGET, port=8053, to=53, protocol="udp")

    assert ask(lab.host, address, 8080) == str(net.gateway).encode()
    assert datagram(lab.host, address, 8053) == (b"hello", address)


def test_a_port_published_on_loopback_is_closed_on_other_addresses(lab: Lab, net: NetworkSpec, web: Child) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80, ip="127.0.0.1")
    lab.start_plane()

    assert ask(lab.host, "127.0.0.1", 8080) == b"hello"
    for machine in (lab.host, lab.outside):
        with pytest.raises(ConnectionRefusedError):
            connect(machine, HOST, 8080)


def test_two_addresses_of_the_host_publish_the_same_port_of_different_containers(
    lab: Lab, net: NetworkSpec, web: Child
) -> None:
    other = lab.container("c2", (net, "172.30.0.3"))
    serve(lab, web, 80, says("one"))
    serve(lab, other, 80, says("two"))
    lab.publish("c1", net, TARGET, port=8080, to=80, ip="127.0.0.1")
    lab.publish("c2", net, "172.30.0.3", port=8080, to=80, ip=HOST)

    assert (ask(lab.host, "127.0.0.1", 8080), ask(lab.host, HOST, 8080)) == (b"one", b"two")
    lab.do(lab.networks.ports.withdraw("c1"))
    lab.do(lab.networks.adopt([NET]))
    assert ask(lab.host, HOST, 8080) == b"two"


def test_a_withdrawn_port_is_closed_and_other_ports_stay(lab: Lab, net: NetworkSpec, web: Child) -> None:
    other = lab.container("c2", (net, "172.30.0.3"))
    serve(lab, web, 80)
    serve(lab, other, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.publish("c2", net, "172.30.0.3", port=8081, to=80)
    lab.start_plane()

    lab.do(lab.networks.ports.withdraw("c1"))
    lab.do(lab.networks.ports.withdraw("c1"))

    with pytest.raises(ConnectionRefusedError):
        connect(lab.host, "127.0.0.1", 8080)
    assert ask(lab.host, "127.0.0.1", 8081) == b"hello"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_withdrawn_port_can_be_had_again_at_once_though_the_data_plane_is_slow(
    lab: Lab, net: NetworkSpec, web: Child, protocol: str
) -> None:
    lab.publish("c1", net, TARGET, port=8080, to=80, protocol=protocol)
    plane = lab.start_plane()
    name = f"port/c1/{protocol}/0.0.0.0/8080"
    assert eventually(lambda: _has_socket_of(plane.pid, lab.store.store[name].fds[0]))
    plane.send_signal(signal.SIGSTOP)
    goes_on = threading.Timer(0.2, plane.send_signal, [signal.SIGCONT])
    goes_on.start()

    lab.do(lab.networks.ports.withdraw("c1"))
    lab.publish("c1", net, TARGET, port=8080, to=80, protocol=protocol)

    goes_on.join()


def _has_socket_of(pid: int, descriptor: int) -> bool:
    """Whether a process has the socket that is ours under a descriptor."""
    wanted = Path(f"/proc/self/fd/{descriptor}").readlink()
    return any(link.is_symlink() and link.readlink() == wanted for link in Path(f"/proc/{pid}/fd").iterdir())


def test_a_container_reaches_a_published_port_of_another_network_by_the_host(
    lab: Lab, net: NetworkSpec, web: Child
) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()
    stranger = lab.container("c2", (lab.network("bbbbbbbbbbbb"), TARGET))

    assert ask(stranger, HOST, 8080) == b"hello"
    assert ask(web, HOST, 8080) == b"hello"


def test_a_port_of_a_container_whose_way_out_is_another_network_is_reached(lab: Lab, net: NetworkSpec) -> None:
    first = lab.network("bbbbbbbbbbbb", "172.31.0.0/24")
    both = lab.container("c1", (first, "172.31.0.2"), (net, TARGET))
    serve(lab, both, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)

    assert ask(lab.host, "127.0.0.1", 8080) == b"hello"  # by the kernel
    lab.without_accelerator()
    lab.start_plane()
    assert ask(lab.host, "127.0.0.1", 8080) == b"hello"  # by the relay


def test_a_port_on_an_internal_network_is_relayed(lab: Lab) -> None:
    net = lab.network("bbbbbbbbbbbb", internal=True)
    serve(lab, lab.container("c1", (net, TARGET)), 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()

    assert ask(lab.host, "127.0.0.1", 8080) == b"hello"


def test_datagrams_are_relayed_and_answered_from_the_address_they_were_sent_to(
    lab: Lab, net: NetworkSpec, web: Child
) -> None:
    serve(lab, web, 53, datagram_echo, "udp")
    lab.host.run("ip", "addr", "add", "192.0.2.77/24", "dev", "wan", check=True)
    lab.publish("c1", net, TARGET, port=8053, to=53, protocol="udp")
    lab.without_accelerator()
    lab.start_plane()

    assert datagram(lab.outside, HOST, 8053) == (b"hello", HOST)
    assert datagram(lab.outside, "192.0.2.77", 8053) == (b"hello", "192.0.2.77")
    assert datagram(lab.host, "127.0.0.1", 8053, b"x" * 60000) == (b"x" * 60000, "127.0.0.1")
    assert datagram(lab.host, "::1", 8053)[0] == b"hello"


def test_half_closed_connections_carry_the_other_direction_to_its_end(lab: Lab, net: NetworkSpec, web: Child) -> None:
    data = os.urandom(3 << 20)

    def download(sock: socket.socket, _peer: object) -> None:
        question = read_all(sock)
        sock.sendall(data + question)

    serve(lab, web, 80, download)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()

    assert ask(lab.outside, HOST, 8080, b"q" * 200_000) == data + b"q" * 200_000


def test_a_slow_reader_slows_the_writer_and_loses_nothing(lab: Lab, net: NetworkSpec, web: Child) -> None:
    data = os.urandom(1 << 20) * 64
    sent = threading.Event()

    def upload(sock: socket.socket, _peer: object) -> None:
        sock.sendall(data)
        sent.set()

    serve(lab, web, 80, upload)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    plane = lab.start_plane()
    with connect(lab.outside, HOST, 8080) as sock:
        assert not sent.wait(0.5)
        assert int(Path(f"/proc/{plane.pid}/statm").read_text().split()[1]) * 4096 < 64 << 20
        assert read_all(sock) == data


def test_many_connections_at_once(lab: Lab, net: NetworkSpec, web: Child) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    plane = lab.start_plane()
    ask(lab.outside, HOST, 8080)
    before = open_files(plane.pid)
    sockets = [connect(lab.outside, HOST, 8080) for _ in range(300)]
    for number, sock in enumerate(sockets):
        sock.sendall(f"{number}".encode())
    for number, sock in enumerate(sockets):
        assert sock.recv(100) == f"{number}".encode()
        sock.close()

    assert eventually(lambda: open_files(plane.pid) <= before + 8)


def test_a_port_that_nobody_listens_on_is_reset(lab: Lab, net: NetworkSpec, web: Child) -> None:
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()

    with connect(lab.outside, HOST, 8080) as sock, pytest.raises(ConnectionResetError):
        sock.recv(1)


def test_a_reset_by_the_container_reaches_the_client(lab: Lab, net: NetworkSpec, web: Child) -> None:
    def reset(sock: socket.socket, _peer: object) -> None:
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    serve(lab, web, 80, reset)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()

    with connect(lab.outside, HOST, 8080) as sock:
        sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_connections_wait_while_the_data_plane_is_dead(lab: Lab, net: NetworkSpec, web: Child) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    plane = lab.start_plane()
    assert ask(lab.outside, HOST, 8080) == b"hello"
    os.kill(plane.pid, signal.SIGKILL)
    plane.wait()

    with connect(lab.outside, HOST, 8080) as sock:
        sock.sendall(b"patience")
        lab.start_plane()
        assert sock.recv(100) == b"patience"
    assert ask(lab.outside, HOST, 8080) == b"hello"


def test_a_port_that_moves_to_another_container_keeps_its_connections(lab: Lab, net: NetworkSpec, web: Child) -> None:
    other = lab.container("c2", (net, "172.30.0.3"))
    serve(lab, web, 80)
    serve(lab, other, 80, says("other"))
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()
    with connect(lab.outside, HOST, 8080) as sock:
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"

        for name, item in list(lab.store.store.items()):
            if name.startswith("port/"):
                meta = item.meta | {"target": ["172.30.0.3", 80]}
                lab.do(lab.store.put(name, meta, item.fds))

        assert eventually(lambda: ask(lab.outside, HOST, 8080) == b"other")
        sock.sendall(b"b")
        assert sock.recv(1) == b"b"


def test_dropping_a_port_ends_its_connections_so_that_the_network_can_die(
    lab: Lab, net: NetworkSpec, web: Child
) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    lab.start_plane()
    with connect(lab.outside, HOST, 8080) as sock:
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        lab.do(lab.networks.remove(NET))
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    web.close()

    assert eventually(lambda: "cu" not in lab.host.run("ip", "-o", "link").stdout)


def test_a_port_is_given_back_whatever_becomes_of_the_kernels_own_translation(
    lab: Lab, net: NetworkSpec, web: Child
) -> None:
    class NoJobs:
        async def run(self, *_arguments: object, **_more: object) -> dict[str, int]:
            raise KeeperLostError("the keeper is gone")

    lab.publish("c1", net, TARGET, port=8080, to=80)
    publishing = Publishing(NoJobs(), lab.store, lab.facts)

    with pytest.raises(KeeperLostError):
        lab.do(publishing.withdraw("c1"))

    assert not publishing.holds("c1")
    with lab.host.inside():
        ports.open_published("", [8080], "tcp").close()


def test_a_bad_item_is_reported_and_the_rest_goes_on(lab: Lab, net: NetworkSpec, web: Child) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    plane = lab.start_plane()
    assert ask(lab.outside, HOST, 8080) == b"hello"
    ours, theirs = socket.socketpair()
    port = {"proto": "tcp", "target": [TARGET, 80]}
    before = open_files(plane.pid)
    for name, meta, fds in (
        ("port/x", {}, (0,)),
        ("port/x", port, (0, 0)),
        ("port/x", port, (ours.fileno(), 0)),
        ("port/x", {**port, "proto": "sctp"}, (ours.fileno(), 0)),
        ("zone/x", {"names": {"a": ["nonsense"]}}, (0,)),
        ("zone/x", {"names": 5}, (0,)),
        ("dns/x", {}, (0,)),
        ("dns/x", {"networks": 5}, (0, 0)),
    ):
        lab.do(lab.store.put(name, meta, fds))

    assert ask(lab.outside, HOST, 8080) == b"hello"
    assert eventually(lambda: open_files(plane.pid) <= before)
    ours.close()
    theirs.close()


def test_the_holder_of_a_taken_port_is_named(lab: Lab) -> None:
    with lab.host.inside():
        opened = ports.open_published("", [8080], "tcp")
        with pytest.raises(HostError) as caught:
            ports.open_published("127.0.0.1", [8080], "tcp")
        with pytest.raises(HostError, match="`web` of project `shop` has it"):
            ports.open_published("", [8080], "tcp", lambda *_: "service `web` of project `shop`")
        opened.close()

    name = Path("/proc/self/comm").read_text().strip()
    assert str(caught.value) == f"cannot publish port `127.0.0.1:8080/tcp`: `{name}` (pid {os.getpid()}) has it"
    assert caught.value.hint


def test_a_network_without_uplink_still_publishes(tmp_path: Path) -> None:
    with ExitStack() as stack:
        lab = Lab(stack, tmp_path, privileged=False)
        net = lab.network(NET)
        serve(lab, lab.container("c1", (net, TARGET)), 80)
        lab.publish("c1", net, TARGET, port=8080, to=80)
        lab.start_plane()

        assert ask(lab.outside, HOST, 8080) == b"hello"
        assert ask(lab.host, "127.0.0.1", 8080) == b"hello"


def test_a_relay_that_idles_costs_no_time(lab: Lab, net: NetworkSpec, web: Child) -> None:
    serve(lab, web, 80)
    lab.publish("c1", net, TARGET, port=8080, to=80)
    plane = lab.start_plane()
    with connect(lab.outside, HOST, 8080) as sock:
        sock.sendall(b"a" * (1 << 20))
        received = 0
        while received < 1 << 20:
            received += len(sock.recv(1 << 16))

        def spent() -> int:
            fields = Path(f"/proc/{plane.pid}/stat").read_text().rpartition(") ")[2].split()
            return int(fields[11]) + int(fields[12])

        before = spent()
        time.sleep(0.5)
        assert spent() - before <= 1
