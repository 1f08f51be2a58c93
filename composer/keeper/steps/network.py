"""What makes a network namespace a network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Netlink:
    """Send encoded netlink messages on a new socket and wait for every acknowledgement (`netlink(7)`).

    `family` is NETLINK_ROUTE (0) or NETLINK_NETFILTER (12). `within` names a network namespace descriptor in which the
    socket is opened; empty means our own. Error numbers in `tolerate` count as success, which makes a step repeatable.
    For NETLINK_ROUTE each message asks for its own ACK; for netfilter `messages` is one batch, begin and end included.
    """

    family: int
    messages: tuple[bytes, ...]
    within: str = ""
    tolerate: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sysctl:
    """Write `value` to `/proc/sys/<key with slashes>`; `within` as for `Netlink`."""

    key: str
    value: str
    within: str = ""
    optional: bool = False
    """A missing key is not an error."""


@dataclass(frozen=True, slots=True)
class ReportSockets:
    """Open a UDP and a listening TCP socket at `address`:`port` in our network namespace and send them up.

    They arrive under `<name>/udp` and `<name>/tcp`. `transparent` ones may be given what goes to other addresses, and say
    which (IP_TRANSPARENT and IP_RECVORIGDSTADDR of `ip(7)`).
    """

    name: str
    address: str
    port: int
    transparent: bool = False
