"""A container's resolver at 127.0.0.11, asked over real sockets in its namespace; dnslib reads what comes back."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from dnslib import EDNS0, QTYPE, RCODE, RR, A, DNSHeader, DNSRecord

from composer.network import items
from composer.network.spec import NetworkSpec
from tests.fakes.links import Child, eventually
from tests.kernel.network_lab import Lab, Server, datagram_echo
from tests.patience import PATIENCE

pytestmark = pytest.mark.kernel

RESOLVER = ("127.0.0.11", 53)
CLIENT_SECONDS = 5
"""How long the C library waits for an answer (RES_TIMEOUT, resolv.conf(5))."""


class Upstream:
    """A resolver of the host: answers every A question with 198.51.100.7, or does what `behave` does."""

    def __init__(self, lab: Lab, address: str, behave: Callable[[DNSRecord], bytes | None] | None = None) -> None:
        self.questions: list[str] = []
        self._behave = behave or self._answer
        with lab.host.inside():
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind((address, 53))
            self._tcp = socket.create_server((address, 53))
        for target in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=target, daemon=True).start()
        lab.stack.callback(self.close)

    def close(self) -> None:
        for sock in (self._udp, self._tcp):
            with ExitStack() as stack:
                stack.callback(sock.close)
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def _answer(self, query: DNSRecord) -> bytes:
        reply = query.reply()
        reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A("198.51.100.7"), ttl=300))
        return bytes(reply.pack())

    def _serve_udp(self) -> None:
        while True:
            try:
                data, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            if peer is None:
                return
            if (answer := self._response(data)) is not None:
                self._udp.sendto(answer, peer)

    def _serve_tcp(self) -> None:
        while True:
            try:
                sock, _peer = self._tcp.accept()
            except OSError:
                return
            with sock:
                if (answer := self._response(sock.recv(4096)[2:])) is not None:
                    sock.sendall(struct.pack(">H", len(answer)) + answer)

    def _response(self, data: bytes) -> bytes | None:
        query = DNSRecord.parse(data)
        self.questions.append(str(query.q.qname))
        return self._behave(query)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(stack, tmp_path)


@pytest.fixture
def net(lab: Lab) -> NetworkSpec:
    spec = lab.network("aaaaaaaaaaaa")
    lab.zone(spec, web="172.30.0.2", api="172.30.0.3 172.30.0.4 172.30.0.5")
    return spec


def container(lab: Lab, *networks: NetworkSpec, upstream: tuple[str, ...] = (), search: tuple[str, ...] = ()) -> Child:
    places = [(spec, f"172.30.{n}.9") for n, spec in enumerate(networks)]
    one = lab.container("c1", *places)
    ids = [spec.id for spec in networks]
    lab.do(lab.networks.serve_names("c1", one.reported, ids, search, upstream or ("127.0.0.99",)))
    one.forget_reported()
    return one


def ask(where: Child, name: str, kind: str = "A", *, stream: bool = False, edns: int = 0) -> DNSRecord:
    query = DNSRecord.question(name, kind)
    if edns:
        query.add_ar(EDNS0(udp_len=edns))
    return DNSRecord.parse(exchange(where, query.pack(), stream=stream))


def exchange(where: Child, data: bytes, *, stream: bool = False) -> bytes:
    with where.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(PATIENCE)
        sock.connect(RESOLVER)
        if not stream:
            sock.send(data)
            return sock.recv(65535)
        sock.sendall(struct.pack(">H", len(data)) + data)
        received = b""
        while len(received) < 2 or len(received) < 2 + struct.unpack_from(">H", received)[0]:
            part = sock.recv(65535)
            assert part, "the connection ended before the answer"
            received += part
        return received[2:]


def addresses(reply: DNSRecord) -> list[str]:
    return [str(record.rdata) for record in reply.rr]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["web", "WEB", "web.", "web-1", "web.p_aaaa"])
def test_a_name_of_the_network_is_answered(lab: Lab, net: NetworkSpec, name: str, stream: bool) -> None:
    one = container(lab, net)
    lab.start_plane()

    reply = ask(one, name, stream=stream)

    assert addresses(reply) == ["172.30.0.2"]
    assert reply.rr[0].ttl <= 5
    assert str(reply.q.qname).rstrip(".") == name.rstrip(".")


def test_a_bad_item_leaves_the_resolver_that_has_its_name(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    lab.start_plane()
    name = items.dns_name("c1")
    lab.do(lab.store.put(name, {"networks": 5}, lab.store.store[name].fds))

    assert addresses(ask(one, "web")) == ["172.30.0.2"]


def test_all_replicas_are_answered_in_rotating_order(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    lab.start_plane()

    answers = [addresses(ask(one, "api")) for _ in range(4)]

    assert {tuple(sorted(answer)) for answer in answers} == {("172.30.0.3", "172.30.0.4", "172.30.0.5")}
    assert [answer[0] for answer in answers] == ["172.30.0.3", "172.30.0.4", "172.30.0.5", "172.30.0.3"]


@pytest.mark.parametrize("kind", ["AAAA", "MX", "TXT", "HTTPS"])
def test_a_known_name_has_no_data_of_other_kinds_rather_than_not_existing(
    lab: Lab, net: NetworkSpec, kind: str
) -> None:
    one = container(lab, net)
    lab.start_plane()

    reply = ask(one, "web", kind)

    assert (RCODE[reply.header.rcode], reply.rr) == ("NOERROR", [])


def test_an_address_of_the_network_has_its_containers_name(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    lab.start_plane()

    assert addresses(ask(one, "4.0.30.172.in-addr.arpa", "PTR")) == ["api-2.p_aaaa."]


def test_the_c_library_resolves_names_at_the_usual_address(lab: Lab, net: NetworkSpec, tmp_path: Path) -> None:
    one = container(lab, net)
    lab.start_plane()

    found = one.run("busybox", "nslookup", "web", "127.0.0.11")

    assert "172.30.0.2" in found.stdout


def test_a_new_zone_counts_at_once(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    lab.start_plane()
    assert addresses(ask(one, "web")) == ["172.30.0.2"]

    lab.zone(net, web="172.30.0.77")

    assert eventually(lambda: addresses(ask(one, "web")) == ["172.30.0.77"])


def test_only_the_names_of_the_containers_own_networks_are_seen(lab: Lab, net: NetworkSpec) -> None:
    other = lab.network("bbbbbbbbbbbb", "172.30.1.0/24", internal=True)
    lab.zone(other, secret="172.30.1.2", web="172.30.1.3")
    one = container(lab, other)
    lab.start_plane()

    assert addresses(ask(one, "secret")) == ["172.30.1.2"]
    assert addresses(ask(one, "web")) == ["172.30.1.3"]
    assert RCODE[ask(one, "api").header.rcode] == "NXDOMAIN"


def test_the_first_network_that_knows_a_name_answers(lab: Lab, net: NetworkSpec) -> None:
    other = lab.network("bbbbbbbbbbbb", "172.30.1.0/24")
    lab.zone(other, web="172.30.1.3", db="172.30.1.4")
    one = container(lab, net, other)
    lab.start_plane()

    assert addresses(ask(one, "web")) == ["172.30.0.2"]
    assert addresses(ask(one, "db")) == ["172.30.1.4"]
    assert addresses(ask(one, "web.p_bbbb")) == ["172.30.1.3"]


@pytest.mark.parametrize("stream", [False, True])
def test_other_names_are_asked_of_the_hosts_resolver(lab: Lab, net: NetworkSpec, stream: bool) -> None:
    upstream = Upstream(lab, "127.0.0.99")
    one = container(lab, net)
    lab.start_plane()

    assert addresses(ask(one, "example.com", stream=stream)) == ["198.51.100.7"]
    assert upstream.questions == ["example.com."]


def test_a_container_on_internal_networks_only_asks_nobody(lab: Lab) -> None:
    upstream = Upstream(lab, "127.0.0.99")
    net = lab.network("aaaaaaaaaaaa", internal=True)
    lab.zone(net, web="172.30.0.2")
    one = container(lab, net, search=("example.com",))
    lab.start_plane()

    assert RCODE[ask(one, "example.com").header.rcode] == "NXDOMAIN"
    assert addresses(ask(one, "web.example.com")) == ["172.30.0.2"]
    assert upstream.questions == []


def test_the_next_resolver_is_asked_when_one_is_silent_or_refuses(lab: Lab, net: NetworkSpec) -> None:
    silent = Upstream(lab, "127.0.0.98", lambda _query: None)
    Upstream(lab, "127.0.0.99")
    one = container(lab, net, upstream=("127.0.0.97", "127.0.0.98", "127.0.0.99"))
    lab.start_plane()

    assert addresses(ask(one, "example.com")) == ["198.51.100.7"]
    assert addresses(ask(one, "example.org")) == ["198.51.100.7"]

    assert "example.org." not in silent.questions, "the one that answered is asked first from then on"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("silent", [False, True])
def test_dead_resolvers_are_told_of_before_a_client_gives_up(
    lab: Lab, net: NetworkSpec, stream: bool, silent: bool
) -> None:
    if silent:
        Upstream(lab, "127.0.0.99", lambda _query: None)
    one = container(lab, net)
    lab.start_plane()

    started = time.monotonic()
    reply = ask(one, "example.com", stream=stream)

    assert RCODE[reply.header.rcode] == "SERVFAIL"
    assert time.monotonic() - started < CLIENT_SECONDS
    assert addresses(ask(one, "web")) == ["172.30.0.2"]


def test_forged_answers_are_not_believed(lab: Lab, net: NetworkSpec) -> None:
    def forge(query: DNSRecord) -> bytes:
        query.header.id ^= 1
        return bytes(query.reply().pack())

    Upstream(lab, "127.0.0.99", forge)
    one = container(lab, net)
    lab.start_plane()

    assert RCODE[ask(one, "example.com").header.rcode] == "SERVFAIL"


def test_a_service_name_with_a_search_domain_is_found_after_the_outside_did_not_know_it(
    lab: Lab, net: NetworkSpec
) -> None:
    def unknown(query: DNSRecord) -> bytes:
        if str(query.q.qname) == "api.example.com.":
            reply = query.reply()
            reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A("203.0.113.9"), ttl=300))
            return bytes(reply.pack())
        return bytes(DNSRecord(DNSHeader(id=query.header.id, qr=1, ra=1, rcode=3), q=query.q).pack())

    Upstream(lab, "127.0.0.99", unknown)
    one = container(lab, net, search=("example.com",))
    lab.start_plane()

    assert addresses(ask(one, "web.example.com")) == ["172.30.0.2"]
    assert addresses(ask(one, "api.example.com")) == ["203.0.113.9"], "a real name of the outside is not hidden"


def test_a_truncated_answer_of_a_resolver_leads_to_tcp(lab: Lab, net: NetworkSpec) -> None:
    def truncated(query: DNSRecord) -> bytes:
        return bytes(DNSRecord(DNSHeader(id=query.header.id, qr=1, ra=1, tc=1), q=query.q).pack())

    Upstream(lab, "127.0.0.99", truncated)
    one = container(lab, net)
    lab.start_plane()

    assert ask(one, "example.com").header.tc == 1


def test_more_replicas_than_fit_are_truncated_and_come_whole_over_tcp(lab: Lab, net: NetworkSpec) -> None:
    many = [f"172.30.1.{n}" for n in range(1, 101)]
    lab.zone(net, many=" ".join(many))
    one = container(lab, net)
    lab.start_plane()

    short = ask(one, "many")
    assert short.header.tc == 1
    assert 0 < len(short.rr) < 100
    assert len(short.pack()) <= 512
    assert sorted(addresses(ask(one, "many", edns=4096))) == sorted(many)
    assert sorted(addresses(ask(one, "many", stream=True))) == sorted(many)


def test_a_container_that_serves_port_53_itself_keeps_it(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    server = Server(one, 53, serve=datagram_echo, protocol="udp")
    lab.start_plane()

    assert addresses(ask(one, "web")) == ["172.30.0.2"]
    with one.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(PATIENCE)
        sock.sendto(b"mine", ("127.0.0.1", 53))
        assert sock.recv(10) == b"mine"
    server.close()


def test_questions_wait_while_the_data_plane_is_dead(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    plane = lab.start_plane()
    assert addresses(ask(one, "web")) == ["172.30.0.2"]
    os.kill(plane.pid, signal.SIGKILL)
    plane.wait()
    threading.Timer(0.2, lab.start_plane).start()

    assert addresses(ask(one, "web")) == ["172.30.0.2"]
    assert addresses(ask(one, "web", stream=True)) == ["172.30.0.2"]


def test_nonsense_is_answered_briefly_or_not_at_all_and_hurts_nobody(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    plane = lab.start_plane()
    chance = random.Random(7)
    good = bytes(DNSRecord.question("web").pack())
    with one.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.connect(RESOLVER)
        for _ in range(2000):
            data = bytearray(good)
            for _ in range(chance.randrange(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            sock.send(data[: chance.randrange(len(data) + 1)] or b"\0")

    def answered() -> bool:
        try:
            return addresses(ask(one, "web", stream=True)) == ["172.30.0.2"]
        except TimeoutError:
            return False

    assert eventually(answered)
    assert plane.poll() is None


def test_a_released_container_leaves_no_socket_behind(lab: Lab, net: NetworkSpec) -> None:
    one = container(lab, net)
    lab.start_plane()
    assert addresses(ask(one, "web")) == ["172.30.0.2"]
    lab.do(lab.networks.release("c1"))

    def listens() -> bool:
        return "61053" in one.run("ss", "-Hlnu").stdout + one.run("ss", "-Hlnt").stdout

    assert eventually(lambda: not listens())
    assert items.dns_name("c1") not in lab.store.store
