"""The forms of `ports` and `expose`.

Short: `[IP:][HOST:]CONTAINER[/PROTOCOL]`, where host and container may be ranges
<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#ports>. Ranges of equal length pair up port by
port; a host range before a single container port means "any free one of these".
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Any

from composer.project.document import Mapping, Mark, Node, Path, Scalar, Sequence, plain, say
from composer.project.records import Attribute, Record
from composer.project.report import Report
from composer.project.scalars import as_text
from composer.project.shapes import FormError, Parsed, Schema, Text, derived, did_you_mean, failed, mismatch
from composer.project.variables import is_unfilled

_SHORT = re.compile(r"(?:(?P<ip>\[[^\]]*\]|[^:]*):)??(?:(?P<host>[^:]*):)?(?P<container>[^:]*)")
MAX_PORTS = 32_768
"""Of one service."""
_PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True, slots=True)
class PortRange:
    """One or more consecutive ports."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def __getitem__(self, index: int) -> PortRange:
        return PortRange(self.first + index, self.first + index)


def parse_range(text: str, whole: str) -> PortRange:
    """The ports that `PORT` or `FIRST-LAST` names.

    Raises:
        FormError: not numbers, out of 1-65535, or backwards; the message shows `whole`.
    """
    first, dash, last = text.partition("-")
    for word in (first, last) if dash else (first,):
        if not (word.isascii() and word.isdecimal()):
            raise FormError(f"`{whole}` is not a port", part=word or whole, label="expected a number")
        if not 0 < int(word) < 65536:
            raise FormError(f"`{whole}` is out of range", part=word, label="expected a port from 1 to 65535")
    ports = PortRange(int(first), int(last) if dash else int(first))
    if ports.last < ports.first:
        raise FormError(f"the range `{text}` runs backwards", part=text, hint=f"write `{last}-{first}`")
    return ports


def check_protocol(text: str) -> str:
    """The protocol in lower case.

    Raises:
        FormError: not one that can be published.
    """
    if text.lower() in _PROTOCOLS:
        return text.lower()
    label = "expected `tcp`, `udp` or `sctp`"
    raise FormError(f"`{text}` is an unknown protocol", part=text, label=label, hint=did_you_mean(text, _PROTOCOLS))


def check_ip(text: str) -> str:
    """The host address in its usual spelling, without brackets.

    Raises:
        FormError: not an IP address.
    """
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        hint = "did you mean `127.0.0.1`?" if text == "localhost" else ""
        hint = "there are only two ports: `HOST:CONTAINER`" if text.isdecimal() else hint
        raise FormError(
            f"`{text}` is not an IP address", part=text, label="expected an IP address", hint=hint
        ) from None


def _short(text: str) -> list[dict[str, str | int]]:
    ports, slash, protocol = text.partition("/")
    found = _SHORT.fullmatch(ports)
    if not found:
        raise FormError(f"`{text}` is not a port", label="expected `[IP:][HOST:]CONTAINER[/PROTOCOL]`")
    if slash and protocol.lower() not in _PROTOCOLS:
        try:
            check_protocol(protocol)
        except FormError as error:
            message = f"`{text}` has an unknown protocol"
            raise FormError(message, part=protocol, label=error.label, hint=error.hint) from None
    common: dict[str, str | int] = {"protocol": protocol.lower() if slash else "tcp", "mode": "ingress"}
    if found["ip"]:
        common["host_ip"] = check_ip(found["ip"])
    return _pair(parse_range(found["container"], text), _host_range(found["host"], text), common, text)


def _host_range(text: str | None, whole: str) -> PortRange | None:
    return None if not text or text == "0" else parse_range(text, whole)


def _pair(
    container: PortRange, host: PortRange | None, common: dict[str, str | int], whole: str
) -> list[dict[str, str | int]]:
    if len(container) > MAX_PORTS:
        raise FormError(f"`{whole}` are more than {MAX_PORTS} ports", label="a range this long cannot be published")
    if host and len(container) > 1 and len(host) != len(container):
        message = f"`{whole}` pairs {len(host)} host port{'s' * (len(host) > 1)} with {len(container)} container ports"
        raise FormError(message, part=str(host), hint="make the two ranges equally long")
    entries: list[dict[str, str | int]] = []
    for index in range(len(container)):
        entry = common | {"target": container.first + index}
        if host:
            entry["published"] = str(host if len(container) == 1 else host[index])
        entries.append(entry)
    return entries


LONG_PORT = Record(
    {
        "name": Attribute(Text(), "A name for people.", examples=("web",)),
        "mode": Attribute(
            Text(choices=("ingress", "host")), "Makes no difference on a single machine.", default="ingress"
        ),
        "host_ip": Attribute(Parsed("an IP address", check_ip, ("127.0.0.1",)), "The host's address to listen on."),
        "target": Attribute(
            Parsed("a port", lambda text: str(parse_range(text, text)), ("80",)), "The container's port.", required=True
        ),
        "published": Attribute(
            Parsed(
                "a port or a range", lambda text: "" if text in ("", "0") else str(parse_range(text, text)), ("8080",)
            ),
            "The host's port, or a range to choose from; any free one if it is left out.",
        ),
        "protocol": Attribute(
            Parsed("a protocol", check_protocol, words=_PROTOCOLS),
            "`tcp` or `udp`; `sctp` is read, and cannot be published here.",
            default="tcp",
        ),
        "app_protocol": Attribute(Text(), "What is spoken on this port, for people and tools.", examples=("http",)),
    }
)


@dataclass(frozen=True)
class Ports:
    """The list of `ports`: canonical entries have `target`, `protocol`, `mode` and perhaps `published`, `host_ip`."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if not isinstance(node, Sequence):
            mismatch("a list", node, path, report, "begin each port with `- `")
            return None
        items: list[Node] = []
        for index, item in enumerate(node.items):
            items += _entries(item, (*path, index), report)
            if len(items) > MAX_PORTS:
                hint = "`network_mode: host` publishes all there are"
                report.error(f"{say(path)} has more than {MAX_PORTS} ports", item.mark, hint=hint)
                return None
        return replace(node, items=tuple(items))

    def show(self, node: Node) -> Any:
        return [LONG_PORT.show(item) for item in node.items] if isinstance(node, Sequence) else plain(node)

    def schema(self) -> Schema:
        short = {"type": ["string", "integer"], "examples": ["8080:80", "127.0.0.1:8080:80/tcp", "3000-3005:3000-3005"]}
        return {"type": "array", "items": {"oneOf": [short, LONG_PORT.schema()]}}


def _entries(node: Node, path: Path, report: Report) -> list[Node]:
    if isinstance(node, Mapping):
        return _long(node, path, report)
    if report.raw and is_unfilled(node):
        return [node]
    if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool | float):
        mismatch("a port like `8080:80`", node, path, report)
        return []
    try:
        return [_mapping(entry, node.mark) for entry in _short(as_text(node.value))]
    except FormError as error:
        failed(error, node, path, report)
        return []


def _long(node: Mapping, path: Path, report: Report) -> list[Node]:
    read = LONG_PORT.read(node, path, report)
    if not isinstance(read, Mapping):
        return []
    target = read.get("target")
    if not isinstance(target, Scalar):
        if "target" not in read.keys and read.keys.keys() <= LONG_PORT.attributes.keys():
            report.error(f"{say(path)} has no `target`", node.mark, hint="add the container's port as `target`")
        return []
    published = read.get("published")
    if report.raw and (is_unfilled(target) or is_unfilled(published)):
        return [read]
    host = str(published.value) if isinstance(published, Scalar) and published.value else None
    common: dict[str, str | int] = {"protocol": "tcp", "mode": "ingress"}
    for key, value in read.entries.items():
        if key in ("host_ip", "protocol", "mode", "name", "app_protocol") and isinstance(value, Scalar) and value.value:
            common[key] = str(value.value)
    try:
        spelled = f"{host}:{target.value}" if host else str(target.value)
        ranges = parse_range(str(target.value), spelled), _host_range(host, spelled)
        return [_mapping(entry, node.mark, node.keys) for entry in _pair(*ranges, common, spelled)]
    except FormError as error:
        failed(error, target, path, report)
        return []


def _mapping(entry: dict[str, str | int], mark: Mark, keys: dict[str, Mark] | None = None) -> Mapping:
    return Mapping({key: derived(value, mark) for key, value in sorted(entry.items())}, mark, keys or {})


def parse_exposed(text: str) -> str:
    """An `expose` entry as `PORT`, `FIRST-LAST`, or either with `/udp`.

    Raises:
        FormError: not a port or range, or an unknown protocol.
    """
    ports, slash, protocol = text.partition("/")
    word = str(parse_range(ports, text))
    return f"{word}/{check_protocol(protocol)}" if slash and protocol.lower() != "tcp" else word
