"""Rules about published ports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from composer.project.document import Mapping, Scalar
from composer.project.lint.finding import Finding
from composer.project.lint.images import is_database
from composer.project.merged import items_of, services_of, text_of

if TYPE_CHECKING:
    from composer.project.loader import Loaded

_SEXAGESIMAL = re.compile(r"([0-5]?[0-9]):([0-5]?[0-9])\s*(?:[,\]#]|$)")


def database_published(loaded: Loaded) -> Iterator[Finding]:
    """A database's port without an address is open to the whole network, often with a password from the tutorial."""
    for name, service in services_of(loaded.tree).items():
        for port in items_of(service, "ports"):
            if (
                isinstance(port, Mapping)
                and is_database(service)
                and text_of(port, "host_ip") in (None, "0.0.0.0", "::")
            ):
                target = port.get("target")
                number = target.value if isinstance(target, Scalar) else ""
                message = f"services.{name}.ports: port {number} of a database is published to everybody"
                fix = f"`127.0.0.1:{number}:{number}`; services of the project reach it without a published port"
                yield Finding(message, port.mark, fix)


def published_to_everybody(loaded: Loaded) -> Iterator[Finding]:
    """A port without an address is open to every network that the machine is on, firewalls of the distribution or not."""
    for name, service in services_of(loaded.tree).items():
        for port in items_of(service, "ports"):
            is_open = isinstance(port, Mapping) and text_of(port, "host_ip") in (None, "0.0.0.0", "::")
            if not isinstance(port, Mapping) or not is_open or is_database(service):
                continue
            target = port.get("target")
            number = target.value if isinstance(target, Scalar) else ""
            published = text_of(port, "published") or ""
            fix = f"`127.0.0.1:{published}:{number}` for this machine alone"
            yield Finding(f"services.{name}.ports: port {number} is published on all addresses", port.mark, fix)


def published_twice(loaded: Loaded) -> Iterator[Finding]:
    """A later file adds to `ports`, it does not replace: the port of the first file stays published as well."""
    for name, service in services_of(loaded.tree).items():
        seen: dict[object, Mapping] = {}
        for port in items_of(service, "ports"):
            if not isinstance(port, Mapping):
                continue
            target = port.get("target")
            key = (target.value if isinstance(target, Scalar) else None, text_of(port, "protocol"))
            first = seen.setdefault(key, port)
            if first is not port and first.mark.text is not port.mark.text:
                message = f"services.{name}.ports: port {key[0]} is published by `{first.mark.text.name}` too"
                fix = "`ports: !override` replaces the list, `!reset` empties it"
                yield Finding(message, port.mark, fix)


def taken(loaded: Loaded) -> Iterator[Finding]:
    """The host has each port once: the second container that asks for it does not start."""
    seen: dict[tuple[str | None, str | None], list[tuple[str, Mapping]]] = {}
    services = services_of(loaded.tree)
    for name, service in services.items():
        for port in items_of(service, "ports"):
            published = text_of(port, "published") if isinstance(port, Mapping) else None
            if not isinstance(port, Mapping) or not published or "-" in published:
                continue
            others = seen.setdefault((published, text_of(port, "protocol")), [])
            for other, first in others:
                if _meet(port, first) and _together(service, services[other]):
                    who = "here" if other == name else f"by `{other}`"
                    message = f"services.{name}.ports: the host's port {published} is taken {who} too"
                    yield Finding(message, port.mark, "publish one of them at another port, or at another address")
                    break
            others.append((name, port))


def _meet(one: Mapping, other: Mapping) -> bool:
    addresses = {text_of(port, "host_ip") or "0.0.0.0" for port in (one, other)}
    return len(addresses) == 1 or bool(addresses & {"0.0.0.0", "::"})


def _together(one: Mapping, other: Mapping) -> bool:
    """Whether they run at the same time: services with different profiles may be alternatives."""
    profiles = [
        {item.value for item in items_of(each, "profiles") if isinstance(item, Scalar)} for each in (one, other)
    ]
    return not all(profiles) or bool(profiles[0] & profiles[1])


def sexagesimal(loaded: Loaded) -> Iterator[Finding]:
    """`22:22` without quotes is the number 1342 for readers of YAML 1.1, which many tools are; here it is a port."""
    for layer in loaded.trace.layers:
        for name, service in services_of(layer.tree).items() if isinstance(layer.tree, Mapping) else ():
            for port in items_of(service, "ports"):
                source = port.mark.location.source[port.mark.column - 1 :]
                if found := _SEXAGESIMAL.match(source):
                    fix = f'put it in quotes: `"{found[1]}:{found[2]}"`'
                    yield Finding(
                        f"services.{name}.ports: `{found[1]}:{found[2]}` is a number elsewhere", port.mark, fix
                    )
