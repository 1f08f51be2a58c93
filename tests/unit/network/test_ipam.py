from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.errors import HostError, UsageError
from composer.network import ipam

NET = IPv4Network("10.5.0.0/24")
GATEWAY = IPv4Address("10.5.0.1")

routes = st.builds(
    lambda address, prefix: IPv4Network((address & -(1 << (32 - prefix)), prefix)),
    st.one_of(st.integers(0xAC100000, 0xAC1FFFFF), st.integers(0xC0A80000, 0xC0A8FFFF), st.integers(0, 2**32 - 1)),
    st.integers(8, 32),
)


def test_the_first_network_gets_dockers_first_pool() -> None:
    assert ipam.choose_subnet([], []) == IPv4Network("172.17.0.0/16")


def test_networks_in_use_and_routes_of_the_host_are_avoided() -> None:
    used, host = [IPv4Network("172.17.0.0/16")], [IPv4Network("172.18.5.0/24"), IPv4Network("172.19.0.1/32")]

    assert ipam.choose_subnet(used, host) == IPv4Network("172.20.0.0/16")


def test_a_route_that_covers_every_large_pool_leads_to_the_small_ones() -> None:
    assert ipam.choose_subnet([], [IPv4Network("172.16.0.0/12")]) == IPv4Network("192.168.0.0/20")


def test_used_up_pools_are_an_error_with_a_way_out() -> None:
    with pytest.raises(HostError) as caught:
        ipam.choose_subnet([IPv4Network("172.16.0.0/12")], [IPv4Network("192.168.0.0/16")])
    assert "subnet" in caught.value.hint


def test_a_written_subnet_may_coincide_with_others() -> None:
    assert ipam.choose_subnet([NET], [NET], "10.5.0.0/24") == NET


@pytest.mark.parametrize("text", ["10.5.0.1/24", "fd00::/64", "10.5.0.0/31", "lan", "10.5.0.0/33"])
def test_what_is_no_subnet_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(UsageError, match="cannot use subnet") as caught:
        ipam.parse_subnet(text)
    assert f"`{text}`" in caught.value.message


@given(st.lists(routes, max_size=30), st.lists(routes, max_size=30))
def test_a_chosen_subnet_overlaps_nothing(used: list[IPv4Network], host: list[IPv4Network]) -> None:
    try:
        chosen = ipam.choose_subnet(used, host)
    except HostError:
        return
    assert not any(chosen.overlaps(other) for other in [*used, *host])


@given(st.integers(24, 30), st.lists(st.integers(0, 300)))
def test_no_address_is_leased_twice(prefix: int, released: list[int]) -> None:
    subnet = IPv4Network(("10.5.0.0", prefix))
    gateway = ipam.choose_gateway(subnet)
    leases: list[IPv4Address] = []
    for victim in released:
        try:
            address = ipam.allocate(subnet, gateway, leases)
        except HostError:
            assert len(leases) == subnet.num_addresses - 3
        else:
            assert address in subnet
            assert address not in (*leases, gateway, subnet.network_address, subnet.broadcast_address)
            leases.append(address)
        if victim < len(leases):
            leases.pop(victim)


def test_the_lowest_free_address_comes_next() -> None:
    assert ipam.allocate(NET, GATEWAY, [IPv4Address("10.5.0.3")]) == IPv4Address("10.5.0.2")
    assert ipam.allocate(NET, GATEWAY, [IPv4Address("10.5.0.2")]) == IPv4Address("10.5.0.3")


def test_a_wanted_address_is_given_if_it_can_be() -> None:
    assert ipam.allocate(NET, GATEWAY, [], "10.5.0.77") == IPv4Address("10.5.0.77")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("10.6.0.2", "not in the subnet"),
        ("10.5.0.255", "names the subnet"),
        ("10.5.0.0", "names the subnet"),
        ("10.5.0.1", "the gateway has it"),
        ("10.5.0.9", "another container has it"),
        ("web", "no IPv4 address"),
    ],
)
def test_a_wanted_address_that_cannot_be_is_refused_with_the_reason(wanted: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        ipam.allocate(NET, GATEWAY, [IPv4Address("10.5.0.9")], wanted)


def test_a_gateway_outside_of_the_subnet_is_refused() -> None:
    with pytest.raises(UsageError, match="not in the subnet"):
        ipam.choose_gateway(NET, "10.6.0.1")


def test_overlapping_networks_of_one_container_are_named() -> None:
    with pytest.raises(UsageError, match="`front` and `back`"):
        ipam.check_disjoint({"front": NET, "other": IPv4Network("10.6.0.0/24"), "back": IPv4Network("10.5.0.0/25")})


def test_slots_go_around_and_run_out() -> None:
    assert ipam.free_slot([6, 7, 0], 8, 6) == 1
    with pytest.raises(HostError):
        ipam.free_slot(range(8), 8, 3)
