"""What must be true of the project as a whole: references that exist, circles that do not, wishes that do not clash.

Each check is a function from the merged tree to reports; `CHECKS` lists them. A part that could not be read counts as
said, so that one mistake is not reported twice.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from composer.project.document import Mapping, Mark, Node, Scalar, Sequence
from composer.project.report import Report
from composer.project.shapes import did_you_mean


def check(tree: Mapping, report: Report) -> None:
    """Report everything that is inconsistent in the merged tree."""
    for one in CHECKS:
        one(tree, report)


def section(tree: Mapping, name: str) -> dict[str, Mapping]:
    """The entries of a top-level section that are mappings, without extensions; nulls are empty mappings."""
    node = tree.get(name)
    found: dict[str, Mapping] = {}
    for key, value in node.entries.items() if isinstance(node, Mapping) else ():
        if isinstance(value, Mapping) and not key.startswith("x-"):
            found[key] = value
        elif isinstance(value, Scalar) and not key.startswith("x-"):
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


def _has_services(tree: Mapping, report: Report) -> None:
    if "services" not in tree.keys and "services" not in tree.entries:
        report.error("the project has no `services`", tree.mark, hint="services stand below a top-level `services:`")


def _images(tree: Mapping, report: Report) -> None:
    for name, service in services_of(tree).items():
        if not {"image", "build", "extends"} & service.keys.keys() and "provider" not in service.entries:
            message = f"services.{name} has neither an image nor a build context"
            report.error(message, key_mark(tree, "services", name), hint="add `image:` or `build:`")
        build = service.get("build")
        if isinstance(build, Mapping) and {"dockerfile", "dockerfile_inline"} <= build.entries.keys():
            message = f"services.{name}.build has both `dockerfile` and `dockerfile_inline`"
            report.error(message, build.key("dockerfile_inline"))


def dependencies(service: Mapping) -> Iterator[tuple[str, str, Mark]]:
    """(other service, attribute, place) for everything that makes `service` start after another."""
    depends_on = service.get("depends_on")
    if isinstance(depends_on, Mapping):
        for other in depends_on.entries:
            yield other, "depends_on", depends_on.key(other)
    mode = service.get("network_mode")
    if isinstance(mode, Scalar) and str(mode.value).startswith("service:"):
        other = str(mode.value).partition(":")[2]
        yield other, "network_mode", mode.mark.part(other)
    for attribute in ("links", "volumes_from"):
        for item in items_of(service, attribute):
            if isinstance(item, Scalar) and not str(item.value).startswith("container:"):
                other = str(item.value).partition(":")[0]
                yield other, attribute, item.mark.part(other)


def _known_services(tree: Mapping, report: Report) -> None:
    services = services_of(tree)
    for name, service in services.items():
        for other, attribute, mark in dependencies(service):
            entry = entries_of(service, "depends_on").get(other) if attribute == "depends_on" else None
            required = entry.get("required") if isinstance(entry, Mapping) else None
            optional = isinstance(required, Scalar) and required.value is False
            if other not in services and not optional:
                message = f"services.{name}.{attribute}: there is no service `{other}`"
                report.error(message, mark, hint=did_you_mean(other, services))


def _circles(tree: Mapping, report: Report) -> None:
    """Report every circle of dependencies once, with its trail."""
    services = services_of(tree)
    edges = {
        name: [edge for edge in dependencies(service) if edge[0] in services] for name, service in services.items()
    }
    done: set[str] = set()
    for start in services:
        _follow(start, edges, done, report)


def _follow(start: str, edges: dict[str, list[tuple[str, str, Mark]]], done: set[str], report: Report) -> None:
    # With a stack of its own: a chain may be longer than Python's recursion goes.
    stack = [(start, iter(edges[start]))] if start not in done else []
    trail = [start] if stack else []
    while stack:
        name, rest = stack[-1]
        for other, attribute, mark in rest:
            if other in trail:
                circle = " → ".join(f"`{step}`" for step in (*trail[trail.index(other) :], other))
                hint = "a service cannot wait for one that waits for it; remove one of these"
                report.error(f"services.{name}.{attribute}: a circle of dependencies: {circle}", mark, hint=hint)
            elif other not in done:
                trail.append(other)
                stack.append((other, iter(edges[other])))
                break
        else:
            done.add(name)
            stack.pop()
            trail.pop()


def _known_networks(tree: Mapping, report: Report) -> None:
    networks = section(tree, "networks")
    for name, service in services_of(tree).items():
        node = service.get("networks")
        for key in node.entries if isinstance(node, Mapping) else ():
            if key != "default" and key not in networks and not key.startswith("x-") and isinstance(node, Mapping):
                hint = did_you_mean(key, networks) or f"declare it: `networks: {{{key}: }}` at the top level"
                report.error(f"services.{name}.networks: there is no network `{key}`", node.key(key), hint=hint)


def _known_volumes(tree: Mapping, report: Report) -> None:
    volumes = section(tree, "volumes")
    for name, service in services_of(tree).items():
        for index, mount in enumerate(items_of(service, "volumes")):
            if not isinstance(mount, Mapping):
                continue
            source, target = mount.get("source"), mount.get("target")
            where = f"services.{name}.volumes[{index}]"
            if text_of(mount, "type") == "volume" and isinstance(source, Scalar) and source.value not in volumes:
                hint = did_you_mean(str(source.value), volumes) or (
                    f"a directory of this machine begins with `./`: `./{source.value}`"
                    if "/" in str(source.value)
                    else f"declare it: `volumes: {{{source.value}: }}` at the top level, or write `./{source.value}`"
                )
                report.error(f"{where}: there is no volume `{source.value}`", source.mark, hint=hint)
            if isinstance(target, Scalar) and not str(target.value).startswith("/"):
                message = f"{where}: `{target.value}` is not an absolute path"
                report.error(message, target.mark, label="expected a path in the container, beginning with `/`")


def _replicas(tree: Mapping, report: Report) -> None:
    for name, service in services_of(tree).items():
        scale, deploy = service.get("scale"), service.get("deploy")
        replicas = deploy.get("replicas") if isinstance(deploy, Mapping) else None
        if isinstance(scale, Scalar) and isinstance(replicas, Scalar) and scale.value != replicas.value:
            message = f"services.{name}: `scale` is {scale.value} and `deploy.replicas` is {replicas.value}"
            report.error(message, scale.mark, hint="keep one of them")
        count = replicas_of(service)
        if count < 2:
            continue
        if "container_name" in service.entries:
            message = f"services.{name} has {count} replicas, but its `container_name` fits only one"
            report.error(message, service.key("container_name"), hint="remove `container_name`")
        for index, port in enumerate(items_of(service, "ports")):
            published = text_of(port, "published") if isinstance(port, Mapping) else None
            if published and "-" not in published:
                message = f"services.{name}.ports[{index}]: {count} replicas cannot all publish port {published}"
                hint = "leave the host's port out, or give a range to choose from"
                report.error(message, port.mark.part(published), hint=hint)


def _container_names(tree: Mapping, report: Report) -> None:
    seen: dict[str, str] = {}
    for name, service in services_of(tree).items():
        wanted = text_of(service, "container_name")
        if wanted is None:
            continue
        if wanted in seen:
            message = f"services.{name}.container_name: `{wanted}` is also the name of `{seen[wanted]}`'s container"
            report.error(message, service.entries["container_name"].mark)
        seen.setdefault(wanted, name)


def _network_modes(tree: Mapping, report: Report) -> None:
    for name, service in services_of(tree).items():
        mode = text_of(service, "network_mode")
        if mode is None:
            continue
        mark = service.entries["network_mode"].mark
        if service.get("networks") is not None:
            report.error(f"services.{name} has both `network_mode` and `networks`", mark, hint="keep one of them")
        if mode.startswith("container:"):
            message = f"services.{name}.network_mode: `{mode}` is not supported"
            report.error(message, mark, hint="share a service's network with `service:NAME`")
        elif mode == "bridge":
            message = (
                f"services.{name}.network_mode: there is no common bridge here, the project's default network is used"
            )
            report.warn(message, mark)
        elif items_of(service, "ports"):
            place = service.key("ports")
            if mode == "host":
                report.warn(f"services.{name}.ports have no effect with `network_mode: host`", place)
            else:
                hint = f"publish them in `{mode.partition(':')[2]}`" if mode.startswith("service:") else ""
                report.error(f"services.{name} cannot publish ports with `network_mode: {mode}`", place, hint=hint)


def _healthchecks(tree: Mapping, report: Report) -> None:
    services = services_of(tree)
    for name, service in services.items():
        for other, entry in entries_of(service, "depends_on").items():
            waits = isinstance(entry, Mapping) and text_of(entry, "condition") == "service_healthy"
            if not waits or other not in services or not isinstance(entry, Mapping):
                continue
            probe = services[other].get("healthcheck")
            disable = probe.get("disable") if isinstance(probe, Mapping) else None
            test = items_of(probe, "test")[:1] if isinstance(probe, Mapping) else ()
            off = isinstance(disable, Scalar) and disable.value is True
            if off or any(isinstance(item, Scalar) and item.value == "NONE" for item in test):
                message = f"services.{name}.depends_on: `{other}` can never be healthy, its healthcheck is switched off"
                report.error(message, entry.entries["condition"].mark)


def _addresses(tree: Mapping, report: Report) -> None:
    networks = section(tree, "networks")
    taken: dict[tuple[str, str], str] = {}
    for name, service in services_of(tree).items():
        for key, attachment in entries_of(service, "networks").items():
            address = text_of(attachment, "ipv4_address") if isinstance(attachment, Mapping) else None
            if address is None or not isinstance(attachment, Mapping):
                continue
            mark = attachment.entries["ipv4_address"].mark
            where = f"services.{name}.networks.{key}.ipv4_address"
            subnet = subnet_of(networks[key]) if key in networks else None
            external = key in networks and "external" in networks[key].entries
            if subnet is None and not external:
                hint = f"give networks.{key} an `ipam` with a `subnet`"
                report.error(f"{where}: a fixed address needs a subnet", mark, hint=hint)
            elif subnet is not None and ipaddress.ip_address(address) not in ipaddress.ip_network(subnet):
                report.error(f"{where}: `{address}` is not in the network's subnet `{subnet}`", mark)
            if (key, address) in taken:
                report.error(f"{where}: `{address}` is also `{taken[key, address]}`'s", mark)
            taken.setdefault((key, address), name)


def subnet_of(network: Mapping) -> str | None:
    """The first IPv4 subnet that a network's `ipam` gives."""
    ipam = network.get("ipam")
    for entry in items_of(ipam, "config") if isinstance(ipam, Mapping) else ():
        subnet = text_of(entry, "subnet") if isinstance(entry, Mapping) else None
        if subnet is not None and ":" not in subnet:
            return subnet
    return None


def _networks(tree: Mapping, report: Report) -> None:
    for key, network in section(tree, "networks").items():
        where = f"networks.{key}"
        driver = text_of(network, "driver")
        if driver not in (None, "", "bridge", "default"):
            message = f"{where}.driver: there is no network driver `{driver}` here"
            hint = "use `network_mode` in the services" if driver in ("host", "none") else "leave `driver` out"
            report.error(message, network.entries["driver"].mark, hint=hint)
        subnet, ipam = subnet_of(network), network.get("ipam")
        for entry in items_of(ipam, "config") if isinstance(ipam, Mapping) else ():
            gateway = text_of(entry, "gateway") if isinstance(entry, Mapping) else None
            if (
                gateway
                and subnet
                and ":" not in gateway
                and ipaddress.ip_address(gateway) not in ipaddress.ip_network(subnet)
            ):
                message = f"{where}.ipam: the gateway `{gateway}` is not in the subnet `{subnet}`"
                report.error(message, entry.entries["gateway"].mark if isinstance(entry, Mapping) else entry.mark)


def _volumes(tree: Mapping, report: Report) -> None:
    for key, volume in section(tree, "volumes").items():
        driver = text_of(volume, "driver")
        if driver not in (None, "", "local"):
            message = f"volumes.{key}.driver: there is no volume driver `{driver}` here"
            report.error(message, volume.entries["driver"].mark, hint="leave `driver` out")


def _external(tree: Mapping, report: Report) -> None:
    for name in ("networks", "volumes"):
        for key, node in section(tree, name).items():
            external = node.get("external")
            if external is None or (isinstance(external, Scalar) and external.value is not True):
                continue
            for other in node.entries:
                if other not in ("external", "name") and not other.startswith("x-") and node.get(other) is not None:
                    message = f"{name}.{key} is external: `{other}` has no effect on it"
                    report.error(message, node.key(other), hint=f"remove `{other}`, or `external`")


CHECKS: tuple[Callable[[Mapping, Report], None], ...] = (
    _has_services,
    _images,
    _known_services,
    _circles,
    _known_networks,
    _known_volumes,
    _replicas,
    _container_names,
    _network_modes,
    _healthchecks,
    _addresses,
    _networks,
    _volumes,
    _external,
)
