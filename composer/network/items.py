"""Names and contents of what the keeper holds for networks: the store is shared by engine, keeper and data plane.

    netns/<network id>                                    fds: namespace             Namespace
    port/<container id>/<protocol>/<host ip>/<host port>  fds: socket, namespace     Port
    out/<network id>/<protocol>                           fds: socket, namespace     out
    dns/<container id>                                    fds: UDP, listening TCP    dns
    zone/<network id>                                     no fds                     zone

Pure; everything here is JSON-able.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any


def netns_name(network_id: str) -> str:
    """The item that keeps a network alive; its meta is `{"uplink": slot}` where it has one."""
    return f"netns/{network_id}"


def zone_name(network_id: str) -> str:
    """The item with a network's names."""
    return f"zone/{network_id}"


def out_name(network_id: str, protocol: str) -> str:
    """The item with the socket that takes what containers send to the outside, where no uplink leads there."""
    return f"out/{network_id}/{protocol}"


def out(gateway: IPv4Address) -> dict[str, Any]:
    """Such an item's meta: the network's gateway, by which containers mean this machine."""
    return {"gateway": str(gateway)}


def dns_name(container_id: str) -> str:
    """The item with a container's resolver sockets."""
    return f"dns/{container_id}"


@dataclass(frozen=True, slots=True)
class Port:
    """A published port: where it listens and where it leads."""

    container_id: str
    protocol: str
    host_ip: str
    """`0.0.0.0` and `::` are two items, with a socket each."""
    host_port: int
    network_id: str
    target: IPv4Address
    target_port: int
    via: int = 0
    """The port at the network's uplink that leads there: the host port, unless that was taken for another address."""

    @property
    def name(self) -> str:
        """The item's name."""
        return f"port/{self.container_id}/{self.protocol}/{self.host_ip}/{self.host_port}"

    @property
    def meta(self) -> dict[str, Any]:
        """What the data plane and a new engine need to know."""
        target = [str(self.target), self.target_port]
        return {"proto": self.protocol, "target": target, "network": self.network_id, "via": self.via}

    @classmethod
    def read(cls, name: str, meta: Mapping[str, Any]) -> Port:
        """The port behind an item of the store."""
        _kind, container_id, protocol, host_ip, host_port = name.split("/")
        host, port = meta["target"]
        return cls(
            container_id,
            protocol,
            host_ip,
            int(host_port),
            str(meta["network"]),
            IPv4Address(host),
            int(port),
            int(meta["via"]),
        )


@dataclass(frozen=True, slots=True)
class Record:
    """One container on one network, by all the names it has there."""

    address: IPv4Address
    container: str
    """The container's own name: what the address is called when asked in reverse."""
    names: tuple[str, ...]
    """Service, aliases, short id, hostname, ..."""


def zone(network: str, records: Iterable[Record], *, internal: bool = False) -> dict[str, Any]:
    """A zone's meta: each name with all its addresses, in the order of the records; a name counts once per container."""
    names: dict[str, list[str]] = {}
    reverse: dict[str, str] = {}
    for record in records:
        address = str(record.address)
        reverse.setdefault(address, record.container)
        for name in dict.fromkeys(name.lower() for name in (record.container, *record.names) if name):
            addresses = names.setdefault(name, [])
            if address not in addresses:
                addresses.append(address)
    return {"name": network, "internal": internal, "names": names, "reverse": reverse}


def dns(networks: Sequence[str], search: Sequence[str] = (), upstream: Sequence[str] = ()) -> dict[str, Any]:
    """A resolver's meta: the ids of the container's networks in order; no `upstream` means the host's resolvers."""
    return {"networks": list(networks), "search": list(search), "upstream": list(upstream)}
