"""What a rendered file may know of its project: plain data, the same for every template of one service.

    project      name, branch (of git, "" without), directory
    service      the service that gets the file: one of `services`
    services     by name: name, host, image, replicas, environment, ports, published, address, addresses, containers
    environment  the variables that the project was read with and that the template names
    secrets      by name: the path of the file that the service has it in; never what is in it

Addresses are those written in the file, and stand-ins elsewhere until `located` puts the real ones there: equal facts
give equal text, so that a change of what a file renders to can be told before anything is started.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from composer.project.model import Port, Project, Service

Facts = dict[str, Any]
AddressOf = Callable[[str, int, str, str], str]
"""The address of (service, number, network's full name, address written in the file); "" where there is none."""

_NAMED = re.compile(r"\benvironment(?:\.|\[\s*['\"])([A-Za-z_]\w*)")


def variables_of(template: str) -> tuple[str, ...]:
    """The variables that a template asks `environment` for."""
    return tuple(dict.fromkeys(_NAMED.findall(template)))


def facts_of(project: Project, service: Service) -> Facts:
    """What a file of `service` may know."""
    services = {name: _service(project, each) for name, each in project.services.items()}
    own = services.setdefault(service.name, _service(project, service))
    hidden = {secret.environment for secret in project.secrets.values()}
    return {
        "project": {
            "name": project.name,
            "branch": branch_of(Path(project.working_dir)),
            "directory": project.working_dir,
        },
        "service": own,
        "services": services,
        "environment": {name: value for name, value in project.environment_used.items() if name not in hidden},
        "secrets": {grant.source: grant.target for grant in service.secrets},
    }


def located(facts: Facts, address_of: AddressOf, port_of: Callable[[str, int], int | None]) -> Facts:
    """The facts with the addresses that containers have, and the ports that were chosen for them."""
    for service in facts["services"].values():
        for container in service["containers"]:
            for place in container["places"]:
                found = address_of(service["name"], container["number"], place["network"], place["written"])
                container["addresses"][place["key"]] = found
            container["address"] = next(iter(container["addresses"].values()), "")
        _lead(service)
        for target, published in service["published"].items():
            service["published"][target] = published or port_of(service["name"], int(target))
    return {**facts, "service": facts["services"][facts["service"]["name"]]}


def branch_of(directory: Path) -> str:
    """The branch that git has checked out around `directory`; "" without git, or with no branch checked out."""
    for place in (directory, *directory.parents):
        git = place / ".git"
        try:
            if git.is_file():  # a worktree's points to the directory that has its HEAD
                git = place / git.read_text().removeprefix("gitdir:").strip()
            head = (git / "HEAD").read_text().strip()
        except OSError:
            continue
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
    return ""


def _service(project: Project, service: Service) -> Facts:
    containers = [_container(project, service, number) for number in range(1, service.replicas + 1)]
    made = {
        "name": service.name,
        "host": service.name,
        "image": service.image or f"{project.name}-{service.name}",
        "replicas": service.replicas,
        "environment": dict(service.environment),
        "ports": [_port(port) for port in service.ports],
        "published": {str(port.target): _number(port) for port in service.ports},
        "containers": containers,
    }
    _lead(made)
    return made


def _lead(service: Facts) -> None:
    """A service's own address is that of its first container."""
    first = service["containers"][0] if service["containers"] else {"address": "", "addresses": {}}
    service["address"], service["addresses"] = first["address"], first["addresses"]


def _container(project: Project, service: Service, number: int) -> Facts:
    name = service.container_name or f"{project.name}-{service.name}-{number}"
    ordered = sorted(service.networks.items(), key=lambda item: (-item[1].priority, item[0]))
    places = [
        {"key": key, "network": project.networks[key].name, "written": on.ipv4_address or ""} for key, on in ordered
    ]
    addresses = {
        place["key"]: place["written"] or _stand_in(place["network"], service.name, number) for place in places
    }
    address = next(iter(addresses.values()), "")
    return {"name": name, "number": number, "host": name, "address": address, "addresses": addresses, "places": places}


def _stand_in(network: str, service: str, number: int) -> str:
    """An address of the block for benchmarks (RFC 2544), always the same for a place."""
    digest = sha256(f"{network}/{service}/{number}".encode()).digest()
    return f"198.{18 + digest[0] % 2}.{digest[1]}.{digest[2] % 254 + 1}"


def _port(port: Port) -> Facts:
    return {
        "target": port.target,
        "published": _number(port),
        "protocol": port.protocol,
        "host_ip": port.host_ip or "0.0.0.0",
    }


def _number(port: Port) -> int | None:
    return int(port.published) if port.published and port.published.isdecimal() else None
