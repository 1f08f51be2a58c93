"""The files below /etc that a container gets from us: hosts, hostname and resolv.conf, written for each start."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from composer.engine.networking import host_resolv_conf
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.runtime import etc

NAMES = ("hosts", "hostname", "resolv.conf")


def write(record: ContainerRecord, rooms: Rooms, hostname: str) -> tuple[tuple[str, str], ...]:
    """(path in the container, file of ours) for each file that `record` needs; a container may write to its own."""
    partner = rooms.store.containers.get(record.joined) if record.joined else None
    place = partner or record
    mode = record.config.network_mode
    texts = {
        "hosts": etc.hosts(
            partner.config.hostname or partner.id[:12] if partner else hostname,
            [endpoint.address for endpoint in place.endpoints.values()],
            (*record.config.extra_hosts, *_linked(record, rooms)),
            domainname=record.config.domainname,
            gateway="127.0.0.1" if mode == "host" else rooms.networks.host_gateway(place),
        ),
        "hostname": etc.hostname(hostname),
        "resolv.conf": host_resolv_conf() if mode == "host" else _resolv_conf(place),
    }
    if mode == "host" and not record.config.hostname:
        del texts["hostname"]
    directory = rooms.paths.container(record.id) / "etc"
    for name, text in texts.items():
        _put(directory / name, text.encode())
    return tuple((f"/etc/{name}", str(directory / name)) for name in texts)


def _put(path: Path, content: bytes) -> None:
    """Write a file unless that is what it holds: ext4 takes milliseconds to truncate one and write it anew."""
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    path.write_bytes(content)  # the engine's umask makes this 0644, for processes that are not root


def _linked(record: ContainerRecord, rooms: Rooms) -> list[tuple[str, str]]:
    """(alias, address) for each link that has another name; leases keep the address good over a restart of the other."""
    found = []
    for service, alias in record.config.links:
        for other in rooms.store.containers_of(record.project):
            shared = [name for name in other.endpoints if name in record.endpoints]
            if other.service == service and shared and not other.one_off:
                found.append((alias, other.endpoints[shared[0]].address))
                break
    return found


def _resolv_conf(record: ContainerRecord) -> str:
    """Our resolver in front of the host's search domains; a container without a network has nobody to ask."""
    config = record.config
    if not record.endpoints:
        return etc.resolv_conf(nameservers=())
    search = config.dns_search or etc.searched(host_resolv_conf())
    return etc.resolv_conf(search, config.dns_opt or ("ndots:0",))
