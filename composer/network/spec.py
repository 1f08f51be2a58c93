"""What is asked of a network, in the words of `ip-link(8)`; data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """One network to be: its subnet is chosen already (`ipam.choose_subnet`)."""

    id: str
    """12 hexadecimal digits; names in the kernel are derived from it."""
    name: str
    subnet: IPv4Network
    gateway: IPv4Address
    internal: bool = False
    uplink: bool = True
    """Whether containers reach the outside: by a link to the host, or where that cannot be by relays."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interface:
    """A container's end of its link to one network."""

    name: str
    """`eth0`, `eth1`, ... in the container."""
    network: str
    """The network's id; its namespace is the descriptor `netns/<id>`."""
    address: IPv4Interface
    """With the prefix length of the subnet."""
    gateway: IPv4Address | None = None
    default_route: bool = False
    mac: str = ""
    """Empty: derived from the address, so that a replaced container keeps its neighbours' ARP entries valid."""
    ifindex: int = 0
    """Index of the container's end, at least 1000; 0: chosen by position."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the network room has to know about the engine and the machine."""

    engine_id: str
    """At most 12 characters; names the host's firewall table."""
    engine_pid: int
    """A process in the host's network namespace, and in the pid namespace that the keeper's children are in."""
    run: str
    """The run directory."""
    privileged: bool
    """Root on this machine: namespaces are pinned by bind mounts, networks get uplinks, ports are accelerated."""
    forwarding_record: str = "/run/composer.ip_forward"
    """What `net.ipv4.ip_forward` was before the first engine of this machine set it; the last one puts it back."""
