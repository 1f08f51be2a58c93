"""Reading the merged canonical tree: what the checks and the assembly both want to know of it."""

from __future__ import annotations

from collections.abc import Iterator

from composer.project.document import Mapping, Mark, Node, Scalar, Sequence


def section(tree: Mapping, name: str) -> dict[str, Mapping]:
    """The entries of a top-level section that are mappings; nulls are empty mappings."""
    node = tree.get(name)
    found: dict[str, Mapping] = {}
    for key, value in node.entries.items() if isinstance(node, Mapping) else ():
        if isinstance(value, Mapping):
            found[key] = value
        elif isinstance(value, Scalar):
            found[key] = Mapping({}, value.mark)
    return found


def services_of(tree: Mapping) -> dict[str, Mapping]:
    """The services of the merged tree."""
    return section(tree, "services")


def key_mark(tree: Mapping, name: str, key: str) -> Mark:
    """Where an entry of a section is named."""
    node = tree.get(name)
    return node.key(key) if isinstance(node, Mapping) else tree.mark


def text_of(node: Mapping, key: str) -> str | None:
    """The attribute's value, if it is a string."""
    value = node.get(key)
    return value.value if isinstance(value, Scalar) and isinstance(value.value, str) else None


def items_of(node: Mapping, key: str) -> tuple[Node, ...]:
    """The attribute's items, if it is a list."""
    value = node.get(key)
    return value.items if isinstance(value, Sequence) else ()


def entries_of(node: Mapping, key: str) -> dict[str, Node]:
    """The attribute's entries, if it is a mapping."""
    value = node.get(key)
    return value.entries if isinstance(value, Mapping) else {}


def replicas_of(service: Mapping) -> int:
    """How many containers the service asks for."""
    deploy = service.get("deploy")
    places = (service.get("scale"), deploy.get("replicas") if isinstance(deploy, Mapping) else None)
    said = [place.value for place in places if isinstance(place, Scalar) and isinstance(place.value, int)]
    return said[0] if said else 1


def dependencies(service: Mapping) -> Iterator[tuple[str, str, Mark]]:
    """(other service, attribute, place) for everything that makes `service` start after another."""
    depends_on = service.get("depends_on")
    if isinstance(depends_on, Mapping):
        for other in depends_on.entries:
            yield other, "depends_on", depends_on.key(other)
    for attribute in ("network_mode", "ipc", "pid"):
        mode = service.get(attribute)
        if isinstance(mode, Scalar) and str(mode.value).startswith("service:"):
            other = str(mode.value).partition(":")[2]
            yield other, attribute, mode.mark.part(other)
    for attribute in ("links", "volumes_from"):
        for item in items_of(service, attribute):
            if isinstance(item, Scalar) and not str(item.value).startswith("container:"):
                other = str(item.value).partition(":")[0]
                yield other, attribute, item.mark.part(other)


def subnet_of(network: Mapping) -> str | None:
    """The first IPv4 subnet that a network's `ipam` gives."""
    ipam = network.get("ipam")
    for entry in items_of(ipam, "config") if isinstance(ipam, Mapping) else ():
        subnet = text_of(entry, "subnet") if isinstance(entry, Mapping) else None
        if subnet is not None and ":" not in subnet:
            return subnet
    return None
