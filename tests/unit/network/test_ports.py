import os
import socket
from contextlib import closing

import pytest

from composer.errors import HostError, UsageError
from composer.network.ports import holder, open_published


def free_range() -> range:
    with closing(open_published("127.0.0.1", [], "tcp")) as opened:
        return range(opened.port, opened.port + 3)


def test_any_free_port_is_the_same_for_ipv4_and_ipv6() -> None:
    with closing(open_published("", [], "tcp")) as opened:
        assert [ip for ip, _sock in opened.sockets] == ["0.0.0.0", "::"]
        assert {sock.getsockname()[1] for _ip, sock in opened.sockets} == {opened.port}
        with socket.create_connection(("::1", opened.port)), socket.create_connection(("127.0.0.1", opened.port)):
            pass


def test_the_first_free_port_of_a_range_is_taken() -> None:
    ports = free_range()
    with (
        closing(open_published("127.0.0.1", ports, "tcp")) as first,
        closing(open_published("127.0.0.1", ports, "tcp")) as second,
    ):
        assert (first.port, second.port) == (ports[0], ports[1])


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_taken_port_names_its_holder(protocol: str) -> None:
    with closing(open_published("127.0.0.1", [], protocol)) as opened:
        assert holder(protocol, opened.port).endswith(f"(pid {os.getpid()})")
        with pytest.raises(HostError, match=rf"{opened.port}/{protocol}`: `.*` \(pid {os.getpid()}\) has it"):
            open_published("", [opened.port], protocol)


def test_what_our_own_projects_have_is_said_in_their_words() -> None:
    asked: list[tuple[str, str, int]] = []

    def ours(protocol: str, host_ip: str, port: int) -> str:
        asked.append((protocol, host_ip, port))
        return "`shop-web-1` of project `shop`"

    with closing(open_published("127.0.0.1", [], "tcp")) as opened:
        with pytest.raises(HostError, match="`shop-web-1` of project `shop` has it"):
            open_published("127.0.0.1", [opened.port], "tcp", ours)
        assert asked == [("tcp", "127.0.0.1", opened.port)]


def test_a_range_that_is_taken_as_a_whole_is_an_error_naming_it() -> None:
    with closing(open_published("127.0.0.1", [], "tcp")) as opened:
        ports = [opened.port, opened.port]
        with pytest.raises(HostError, match=f"`{opened.port}-{opened.port}/tcp`"):
            open_published("127.0.0.1", ports, "tcp")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(HostError, match=r"`192\.0\.2\.200:8080/tcp`: this machine has no such address"):
        open_published("192.0.2.200", [8080], "tcp")


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="`localhost`"):
        open_published("localhost", [8080], "tcp")


def test_an_ipv6_address_may_stand_in_brackets() -> None:
    with closing(open_published("[::1]", [], "tcp")) as opened:
        assert opened.sockets[0][0] == "::1"


def test_a_failed_half_is_closed_again() -> None:
    ports = free_range()
    with closing(open_published("::", [ports[0]], "tcp")):
        with pytest.raises(HostError):
            open_published("", [ports[0]], "tcp")
        with closing(open_published("0.0.0.0", [ports[0]], "tcp")) as opened:
            assert opened.port == ports[0]
