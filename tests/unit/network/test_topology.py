from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from composer.keeper.steps import (
    Netlink,
    PinNamespace,
    ReportNamespace,
    ReportSockets,
    Step,
    Sysctl,
    from_wire,
    to_wire,
)
from composer.network import host, netlink, nftables, topology
from composer.network.spec import Facts, Interface, NetworkSpec

ROOT = Facts("abc", 77, "/run/composer", privileged=True)
USER = Facts("abc", 77, "/run/user/1000/composer", privileged=False)
NET = NetworkSpec("aaaaaaaaaaaa", "shop_default", IPv4Network("172.17.0.0/16"), IPv4Address("172.17.0.1"))
ETH0 = Interface("eth0", NET.id, IPv4Interface("172.17.0.2/16"), NET.gateway, default_route=True)


def names(steps: tuple[Step, ...]) -> list[str]:
    """The steps by what they touch: `route@netns/x` is an rtnetlink batch sent there."""
    said = []
    for step in steps:
        match step:
            case Netlink(family, _messages, within):
                said.append(("route" if family == netlink.ROUTE else "nft") + (f"@{within}" if within else ""))
            case Sysctl(key, value, within):
                said.append(f"{key}={value}" + (f"@{within}" if within else ""))
            case _:
                said.append(type(step).__name__)
    return said


def test_a_network_with_uplink_is_made_in_this_order() -> None:
    assert names(topology.network_steps(NET, ROOT, topology.Uplink(0))) == [
        "net.ipv6.conf.default.disable_ipv6=1",
        "net.bridge.bridge-nf-call-iptables=0",
        "route",
        "route",
        "net.ipv6.conf.cuaaaaaaaaaaaa.disable_ipv6=1@netns/host",
        "net.ipv4.conf.cuaaaaaaaaaaaa.route_localnet=1@netns/host",
        "route@netns/host",
        "route",
        "nft",
        "net.ipv4.ip_forward=1",
        "PinNamespace",
        "ReportNamespace",
    ]


def test_a_network_without_privileges_touches_nothing_but_itself() -> None:
    steps = topology.network_steps(NET, USER)

    assert not any(isinstance(step, PinNamespace) for step in steps)
    assert not any(getattr(step, "within", "") for step in steps)
    assert steps[-1] == ReportNamespace("netns/aaaaaaaaaaaa")
    assert topology.remove_steps(NET.id, USER) == ()


def test_a_container_is_attached_in_this_order() -> None:
    steps = topology.attach_steps("c0ffee", [ETH0])

    assert names(steps) == [
        "net.ipv6.conf.default.disable_ipv6=1",
        "net.ipv4.conf.default.arp_notify=1",
        "route@netns/aaaaaaaaaaaa",
        "route",
        "net.ipv4.ip_unprivileged_port_start=0",
        "nft",
        "ReportSockets",
    ]
    assert steps[-1] == ReportSockets("dns/c0ffee", "127.0.0.11", topology.DNS_PORT)


def test_a_container_without_networks_has_no_resolver() -> None:
    assert not any(isinstance(step, ReportSockets) for step in topology.attach_steps("c0ffee", []))


def test_a_later_start_silences_the_former_link() -> None:
    again = topology.attach_steps("c0ffee", [ETH0], start=3)

    assert Netlink(0, (netlink.silence(topology.link_name("c0ffee", 0, 2)),), f"netns/{NET.id}", (19, 95)) in again


def test_every_list_of_steps_travels() -> None:
    for steps in (
        topology.network_steps(NET, ROOT, topology.Uplink(4095)),
        topology.attach_steps("c0ffee", [ETH0], start=1),
        host.host_steps(ROOT, closed=True),
        host.host_teardown_steps(ROOT),
    ):
        assert tuple(from_wire(to_wire(steps))) == steps


@given(st.integers(0, topology.UPLINK_SLOTS - 1), st.integers(0, topology.UPLINK_SLOTS - 1))
def test_uplinks_share_no_address_and_no_index(one: int, other: int) -> None:
    first, second = topology.Uplink(one), topology.Uplink(other)

    assert first.host.network == first.network.network
    assert first.host.ip in topology.UPLINK_BLOCK
    assert first.network.ip in topology.UPLINK_BLOCK
    if one != other:
        assert not first.host.network.overlaps(second.host.network)
        assert first.index != second.index


def test_the_uplinks_keep_away_from_metadata_services() -> None:
    for address in ("169.254.169.254", "169.254.170.2", "169.254.20.10", "169.254.1.1", "169.254.169.253"):
        assert IPv4Address(address) not in topology.UPLINK_BLOCK


@given(st.text("0123456789abcdef", min_size=12, max_size=64), st.integers(0, 40), st.integers(0, 100_000))
def test_names_of_links_fit_the_kernel(container_id: str, position: int, start: int) -> None:
    assert len(topology.link_name(container_id, position, start)) <= 15
    assert len(topology.uplink_name(container_id)) <= 15


def test_a_batch_asks_for_acknowledgement_of_every_message_but_its_ends() -> None:
    messages = nftables.batch([nftables.table("t"), nftables.delete_table("t")])

    assert [message[6] & 4 for message in messages] == [0, 4, 4, 0]
    assert all(len(message) % 4 == 0 and len(message) == int.from_bytes(message[:4], "little") for message in messages)


def test_publishing_and_withdrawing_name_the_same_places() -> None:
    forward = host.Forward("tcp", None, 8080, topology.Uplink(3), IPv4Address("172.17.0.2"), 80, 8080)

    assert names(host.publish_steps(ROOT, forward, NET.id)) == [f"nft@netns/{NET.id}", "nft"]
    assert names(host.withdraw_steps(ROOT, forward, NET.id)) == ["nft", f"nft@netns/{NET.id}"]
