import pytest

from composer.errors import ContainerError
from composer.runtime.etc import hostname, hosts, resolv_conf, searched


def test_hosts_has_localhost_the_extra_hosts_and_oneself() -> None:
    extra = [("db.example", "192.0.2.7"), ("host.docker.internal", "host-gateway")]

    assert (
        hosts("web", ["10.1.0.5", "10.2.0.5"], extra, domainname="example.org", gateway="10.1.0.1")
        == """\
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::	ip6-localnet
ff00::	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
192.0.2.7	db.example
10.1.0.1	host.docker.internal
10.1.0.5	web.example.org web
10.2.0.5	web.example.org web
"""
    )


def test_a_host_gateway_without_a_way_to_the_host_is_an_error() -> None:
    with pytest.raises(ContainerError, match="host-gateway"):
        hosts("web", extra=[("host.docker.internal", "host-gateway")])


def test_names_are_asked_at_the_resolver_of_every_container() -> None:
    assert resolv_conf() == "nameserver 127.0.0.11\noptions ndots:0\n"
    assert resolv_conf(["a.example", "b"], ["ndots:1"], ["192.0.2.1", "192.0.2.2"]) == (
        "nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch a.example b\noptions ndots:1\n"
    )
    assert hostname("web") == "web\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("nameserver 1.1.1.1\nsearch a.example  b.example\n", ("a.example", "b.example")),
        ("domain a\n\nsearch b\n", ("b",)),
        ("# search no\nsearch .\n", ()),
    ],
)
def test_the_hosts_search_domains_are_kept(text: str, expected: tuple[str, ...]) -> None:
    assert searched(text) == expected
