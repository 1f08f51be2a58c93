"""Shapes of collections: lists, mappings with names of the user's choosing, records with named attributes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from composer.project.document import Mapping, Mark, Node, Path, Scalar, Sequence, is_null, plain, say
from composer.project.hints import plain_text
from composer.project.report import Report
from composer.project.shapes import Schema, Shape, Text, Value, derived, did_you_mean, mismatch
from composer.project.variables import is_unfilled


def _read(shape: Shape, node: Node, path: Path, report: Report) -> Node | None:
    """What `shape` makes of the node; a variable that is to stay as it is fits everywhere."""
    return node if report.raw and is_unfilled(node) else shape.read(node, path, report)


_SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "include")
_SYNONYMS = {
    "cmd": "command", "port": "target", "dst": "target", "destination": "target", "src": "source", "env": "environment",
    "args": "command", "readonly": "read_only", "ro": "read_only", "mem": "memory", "cwd": "working_dir",
    "workdir": "working_dir", "name": "container_name", "host": "host_ip", "depends": "depends_on",
    "net": "network_mode", "memory": "mem_limit", "limits": "ulimits",
}  # fmt: skip
"""What other tools call an attribute."""
_REWRITTEN = {
    "log_driver": "write `logging: {driver: …}`", "log_opt": "write `logging: {options: {…}}`",
    "volume_driver": "say `driver:` of a volume, under the top-level `volumes:`",
    "dockerfile": "write `build: {dockerfile: …}`", "context": "write `build: {context: …}`",
    "target": "write `build: {target: …}`", "replicas": "write `deploy: {replicas: …}`, or `scale:`",
    "resources": "write `deploy: {resources: …}`", "restart_policy": "write `restart:`, or `deploy: {restart_policy: …}`",
    "watch": "write `develop: {watch: …}`", "driver": "that is of a network or volume, at the top level, or of `logging`",
}  # fmt: skip
"""What stands elsewhere than right in a service, or is called otherwise since the first version of the format."""
_INVISIBLE = "\u00a0\u200b\u200c\u200d\u2007\u202f\u3000\ufeff"


@dataclass(frozen=True)
class ListOf:
    """A list; with `alone`, a single item may stand for a list of one."""

    item: Shape
    alone: bool = False

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if self.alone and not isinstance(node, Sequence):
            item = self.item.read(node, path, report)
            return None if item is None else Sequence(() if is_null(item) else (item,), node.mark, node.tag)
        if not isinstance(node, Sequence):
            mismatch("a list", node, path, report)
            return None
        read = [_read(self.item, item, (*path, index), report) for index, item in enumerate(node.items)]
        return replace(node, items=tuple(item for item in read if item is not None and not is_null(item)))

    def show(self, node: Node) -> Any:
        return [self.item.show(item) for item in node.items] if isinstance(node, Sequence) else plain(node)

    def schema(self) -> Schema:
        items: Schema = {"type": "array", "items": self.item.schema()}
        return {"oneOf": [self.item.schema(), items]} if self.alone else items


@dataclass(frozen=True)
class MapOf:
    """A mapping from names of the user's choosing; with `names`, a list of names stands for one without values."""

    value: Shape
    names: bool = False
    nulls: bool = True
    check: Callable[[str], str] = field(default=lambda name: "")
    """The complaint about a name, empty if it is fine."""
    alone: tuple[tuple[str, Value], ...] = ()
    """What a name alone says of itself; nothing if left out."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if self.names and isinstance(node, Sequence):
            if report.raw and any(map(is_unfilled, node.items)):
                return node  # as a key, a variable would stay one for ever
            node = self._from_names(node, path, report)
        if not isinstance(node, Mapping):
            mismatch("a mapping or a list of names" if self.names else "a mapping", node, path, report)
            return None
        entries: dict[str, Node] = {}
        for name, value in node.entries.items():
            here = (*path, name)
            if complaint := self.check(name):
                other = re.sub(r"[^a-zA-Z0-9._-]+", "-", name).strip("-")
                hint = f"did you mean `{other}`?" if other and name.isascii() else ""
                report.error(f"{say(path)}: `{name}` {complaint}", node.key(name), hint=hint)
            keep = value.tag == "!reset" or (self.nulls and is_null(value))
            read = value if keep else _read(self.value, value, here, report)
            if read is not None:
                entries[name] = read
        return replace(node, entries=entries)

    def show(self, node: Node) -> Any:
        if not isinstance(node, Mapping):
            return plain(node)
        entries = sorted(node.entries.items())
        return {name: None if is_null(value) else self.value.show(value) for name, value in entries}

    def _from_names(self, node: Sequence, path: Path, report: Report) -> Mapping:
        entries: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        for index, item in enumerate(node.items):
            if isinstance(item, Mapping) and item.entries:
                key = next(iter(item.entries))
                mismatch("a name", item, (*path, index), report, f"write `{key}:` without the `- `, as all beside it")
                continue
            name = Text().read(item, (*path, index), report)
            if isinstance(name, Scalar):
                said: dict[str, Node] = {key: derived(value, name.mark) for key, value in self.alone}
                entries[str(name.value)] = Mapping(said, name.mark) if said else derived(None, name.mark)
                keys[str(name.value)] = name.mark
        return Mapping(entries, node.mark, keys, node.tag)

    def schema(self) -> Schema:
        value = self.value.schema()
        mapping: Schema = {
            "type": "object",
            # Where null is no value by itself, `!reset null` still may stand.
            "additionalProperties": {"oneOf": [value, {"type": "null"}]} if value else value,
        }
        names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
        return {"oneOf": [mapping, names]} if self.names else mapping


class Status(Enum):
    """How far an attribute is supported."""

    HONOURED = auto()
    PARSED = auto()
    """Read and checked, but nothing acts on it yet: a warning."""


@dataclass(frozen=True)
class Attribute:
    """One row of the table."""

    shape: Shape
    doc: str = ""
    status: Status = Status.HONOURED
    required: bool = False
    """In JSON Schema only: a file to be merged may leave it to the others."""
    always: bool = False
    """Shown whatever its value: elsewhere an empty or zero one is the same as none."""
    default: Any = None
    """What holds where nothing is said, for JSON Schema; None where the image or nothing does."""
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Record:
    """A mapping with attributes of given names; with `alone`, a scalar stands for that one attribute."""

    attributes: dict[str, Attribute]
    alone: str = ""
    needs: tuple[str, ...] = ()
    """What must be said in the file itself, whatever it is merged with."""
    usual: str = ""
    """The attribute that somebody means who writes a single value."""
    title: str = ""
    """A record with a title becomes a definition of its own in the JSON Schema."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if self.alone and isinstance(node, Scalar):
            node = Mapping({self.alone: node}, node.mark, {self.alone: node.mark}, node.tag)
        if not isinstance(node, Mapping):
            mismatch("a mapping", node, path, report, self._as_attribute(node))
            return None
        entries: dict[str, Node] = {}
        for name, value in node.entries.items():
            attribute = self.attributes.get(name)
            if name.startswith("x-"):
                entries[name] = value
            elif attribute is None:
                self._unknown(name, node, path, report)
            elif (read := self._attribute(attribute, name, value, node, path, report)) is not None:
                entries[name] = read
        for name in self.needs:
            if name not in node.entries:
                report.error(f"{say(path)} has no `{name}`", node.mark)
        return replace(node, entries=entries)

    def _as_attribute(self, node: Node) -> str:
        """How a value that stands alone becomes the attribute it was meant for."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or len(node.text) > 60:
            return ""
        first, _, rest = node.text.partition(" ")
        if first in self.attributes and rest:
            return f"write `{first}: {rest}`"
        return f"write `{{{self.usual}: {plain_text(node.text)}}}`" if self.usual else ""

    def _attribute(
        self, attribute: Attribute, name: str, value: Node, node: Mapping, path: Path, report: Report
    ) -> Node | None:
        if is_null(value) or value.tag == "!reset":
            return value
        if attribute.status is not Status.HONOURED:
            message = f"{say((*path, name))} is not supported yet and has no effect"
            report.warn(message, node.key(name), about_running=True)
        return _read(attribute.shape, value, (*path, name), report)

    def show(self, node: Node) -> Any:
        if not isinstance(node, Mapping):
            return plain(node)
        shown = {}
        in_order = [name for name in self.attributes if name in node.entries]
        for name in (*in_order, *(name for name in node.entries if name not in self.attributes)):
            attribute, value = self.attributes.get(name), node.entries[name]
            bare = plain(value)
            said = bare if attribute is None or bare is None else attribute.shape.show(value)
            if attribute is None or (bare and said) or (attribute.always and said is not None):
                shown[name] = said
        return shown

    def _unknown(self, name: str, node: Mapping, path: Path, report: Report) -> None:
        where = f"{say(path)}: " if path else ""
        message = (
            f"{where}`{name}` is not an attribute of a {self.title or 'Compose file'}"
            if not path or self.title
            else f"{where}there is no attribute `{name}`"
        )
        report.error(message, node.key(name), hint=self._elsewhere(name, node, path) or self._meant(name))

    def _meant(self, name: str) -> str:
        other = _SYNONYMS.get(name, "")
        return f"did you mean `{other}`?" if other in self.attributes else did_you_mean(name, self.attributes)

    def _elsewhere(self, name: str, node: Mapping, path: Path) -> str:
        """Where a name belongs that is none here, if its place is the mistake."""
        odd = next((sign for sign in name if sign in _INVISIBLE), "")
        if odd:
            return f"there is an invisible character in it, U+{ord(odd):04X}: indent with ordinary spaces"
        value = node.get(name)
        if not path and isinstance(value, Mapping) and {"image", "build"} & value.entries.keys():
            return "services stand below `services:`, indented"
        if path[:1] == ("services",) and len(path) == 2 and path[1] in _SECTIONS:
            return f"if these are the project's `{path[1]}`, begin the line `{path[1]}:` without spaces"
        if path[:1] == ("services",) and len(path) == 2 and name in _REWRITTEN:
            return _REWRITTEN[name]
        if path[:1] == ("services",) and len(path) == 2 and name in _SECTIONS:
            return f"`{name}:` stands at the top level: begin its line without spaces"
        return ""

    def schema(self) -> Schema:
        properties = {name: _described(name, attribute) for name, attribute in self.attributes.items()}
        required = [name for name, attribute in self.attributes.items() if attribute.required]
        mapping: Schema = {
            "type": "object",
            "properties": properties,
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
        } | ({"required": required} if required else {})
        return {"oneOf": [self.attributes[self.alone].shape.schema(), mapping]} if self.alone else mapping


def _described(name: str, attribute: Attribute) -> Schema:
    schema = attribute.shape.schema()
    doc = attribute.doc
    if attribute.status is not Status.HONOURED:
        doc = f"{doc} Not supported yet: has no effect.".strip()
    said: Schema = {"title": name.replace("_", " "), "description": doc}
    if attribute.default is not None:
        said["default"] = attribute.default
    if attribute.examples:
        said["examples"] = list(attribute.examples)
    return said | _or_nothing(schema)


def _or_nothing(schema: Schema) -> Schema:
    """The schema with null as well, which says as much as leaving the attribute out."""
    match schema:
        case {"properties": _}:
            return {"anyOf": [schema, {"type": "null"}]}
        case {"type": str() as kind}:
            return schema | {"type": [kind, "null"]}
        case {"type": list() as kinds}:
            return schema | {"type": [*kinds, "null"]}
        case {"oneOf": list() as several} if {"type": "null"} not in several:
            return schema | {"oneOf": [*several, {"type": "null"}]}
        case {"anyOf": list() as several}:
            return schema | {"anyOf": [*several, {"type": "null"}]}
        case _:
            return schema
