"""Which subnet a network gets and which address a container gets. Pure: what is in use comes in, a choice comes out.

Default subnets come from the pools that Docker uses, in its order, so that files and firewalls written for it fit; a
subnet that touches a route of this machine or another network's is left out. A *written* subnet may coincide with
others: networks are namespaces of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from itertools import chain, combinations

from composer.errors import HostError, UsageError

_LARGE = [IPv4Network(f"172.{second}.0.0/16") for second in range(17, 32)]
_SMALL = IPv4Network("192.168.0.0/16")
_SMALL_PREFIX = 20


def choose_subnet(used: Collection[IPv4Network], host_routes: Collection[IPv4Network], wanted: str = "") -> IPv4Network:
    """The wanted subnet, or the first of the pools that overlaps nothing in use.

    Raises:
        UsageError: what is wanted is no IPv4 subnet with room for a gateway and a container.
        HostError: the pools are used up.
    """
    if wanted:
        return parse_subnet(wanted)
    taken = [*used, *host_routes]
    for candidate in chain(_LARGE, _SMALL.subnets(new_prefix=_SMALL_PREFIX)):
        if not any(candidate.overlaps(other) for other in taken):
            return candidate
    raise HostError(
        "cannot choose a subnet: all of 172.17.0.0-172.31.255.255 and 192.168.0.0/16 is in use",
        hint="remove a network that is not needed, or write a subnet: `networks.<name>.ipam.config[0].subnet`",
    )


def parse_subnet(text: str) -> IPv4Network:
    """The subnet in `text`. Raises UsageError for what is none that a network can have."""
    try:
        subnet = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise UsageError(
            f"cannot use subnet `{text}`: it is no IPv4 subnet ({error})", hint="write it like `10.5.0.0/24`"
        ) from error
    if subnet.prefixlen > 30:
        raise UsageError(f"cannot use subnet `{text}`: it has no room for a gateway and a container")
    return subnet


def choose_gateway(subnet: IPv4Network, wanted: str = "") -> IPv4Address:
    """The wanted gateway, or the first address of the subnet. Raises UsageError if it cannot be one of `subnet`."""
    return _member(subnet, wanted, "gateway") if wanted else subnet[1]


def allocate(
    subnet: IPv4Network,
    gateway: IPv4Address,
    used: Collection[IPv4Address],
    wanted: str = "",
    pool: IPv4Network | None = None,
) -> IPv4Address:
    """The wanted address, or the lowest one of `subnet` (of `pool`, a part of it) that is neither the gateway nor in use.

    Raises:
        UsageError: the wanted address is not in the subnet or somebody has it.
        HostError: the subnet is full.
    """
    taken = {*used, gateway}
    if wanted:
        address = _member(subnet, wanted, "address")
        if address in taken:
            holder = "the gateway has it" if address == gateway else "another container has it"
            raise UsageError(f"cannot give out address `{wanted}`: {holder}", hint="choose another `ipv4_address`")
        return address
    for address in _hosts(subnet):
        if address not in taken and (pool is None or address in pool):
            return address
    raise HostError(
        f"cannot give out an address: subnet `{pool or subnet}` is full", hint="write a larger subnet for this network"
    )


def check_disjoint(subnets: Mapping[str, IPv4Network]) -> None:
    """Raise UsageError, naming both networks, if a container on all of these could not tell them apart."""
    for (one, first), (other, second) in combinations(subnets.items(), 2):
        if first.overlaps(second):
            raise UsageError(
                f"cannot attach a container to `{one}` and `{other}`: their subnets `{first}` and `{second}` overlap",
                hint="give one of the networks another subnet, or leave it to composer to choose",
            )


def _member(subnet: IPv4Network, text: str, what: str) -> IPv4Address:
    try:
        address = IPv4Address(text)
    except AddressValueError as error:
        raise UsageError(f"cannot use {what} `{text}`: it is no IPv4 address") from error
    if address not in subnet:
        raise UsageError(f"cannot use {what} `{text}`: it is not in the subnet `{subnet}`")
    if address in (subnet.network_address, subnet.broadcast_address):
        raise UsageError(f"cannot use {what} `{text}`: it names the subnet `{subnet}` itself")
    return address


def _hosts(subnet: IPv4Network) -> Iterator[IPv4Address]:
    return (IPv4Address(number) for number in range(int(subnet[1]), int(subnet[-1])))


def free_slot(used: Iterable[int], slots: int, first: int) -> int:
    """The first slot from `first` on, around the end, that is not in use. Raises HostError if there is none."""
    taken = set(used)
    for offset in range(slots):
        if (slot := (first + offset) % slots) not in taken:
            return slot
    raise HostError("cannot give the network an uplink: all address pairs are in use")
