"""What an attribute may look like: the grammar that the table in `attributes` is written in.

A shape does three things with one definition: it checks a node and reports what is wrong where; it returns the node in
its *canonical* form (long forms only, scalars typed), so that merging and everything after it meets one form of each
thing; and it describes itself as JSON Schema for editors. Forms of single attributes are in `forms`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Protocol

from composer.project.document import Mapping, Mark, Node, Path, Scalar, Sequence, is_null, say
from composer.project.report import Report
from composer.project.scalars import as_text, parse_int

Schema = dict[str, Any]
Value = str | int | float | bool | None


class Shape(Protocol):
    """One way (or a few ways) to write a value."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        """The node in canonical form; `None`, and a problem in the report, if it cannot be used."""

    def schema(self) -> Schema:
        """The input forms as JSON Schema."""


class FormError(ValueError):
    """A scalar does not have the form it needs; `part` is the piece to point at."""

    def __init__(self, message: str, *, part: str = "", label: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.part = part
        self.label = label
        self.hint = hint


def derived(value: Value, mark: Mark) -> Scalar:
    """A scalar that was not written as such but follows from what stands at `mark`."""
    return Scalar(value, as_text(value), mark, literal=True)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The hint that names the candidate closest to `word`; empty if none is close."""
    close = difflib.get_close_matches(word, list(candidates), 1, 0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def mismatch(wanted: str, node: Node, path: Path, report: Report, hint: str = "") -> None:
    """Report that something else than `wanted` stands here."""
    report.error(f"{say(path)} must be {wanted}, found {node}", node.mark, hint=hint)


def failed(error: FormError, node: Node, path: Path, report: Report) -> None:
    """Report a form error at the piece of the node it is about."""
    report.error(f"{say(path)}: {error.message}", node.mark.part(error.part), label=error.label, hint=error.hint)


@dataclass(frozen=True)
class Anything:
    """No demands: extensions, and what is known but not read yet."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        return node

    def schema(self) -> Schema:
        return {}


@dataclass(frozen=True)
class Text:
    """A string; with `numbers`, also a number or boolean, taken as Go prints it."""

    numbers: bool = False
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Scalar) and self.numbers and node.value is not None:
            node = replace(node, value=as_text(node.value))
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            mismatch("a string", node, path, report, "put it in quotes" if isinstance(node, Scalar) else "")
            return None
        if self.choices and node.value not in self.choices:
            message = f"{say(path)}: `{node.value}` is not one of {', '.join(f'`{word}`' for word in self.choices)}"
            report.error(message, node.mark, hint=did_you_mean(node.value, self.choices))
            return None
        return node

    def schema(self) -> Schema:
        if self.choices:
            return {"type": "string", "enum": list(self.choices)}
        kind: Schema = {"type": ["string", "number", "boolean"] if self.numbers else "string"}
        return kind | ({"pattern": self.pattern} if self.pattern else {})


@dataclass(frozen=True)
class Parsed:
    """A scalar in a notation of its own; `parse` returns its value or raises `FormError`."""

    noun: str
    parse: Callable[[str], Value]
    examples: tuple[str, ...] = ()
    numbers: bool = True

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        usable = isinstance(node, Scalar) and node.value is not None and not isinstance(node.value, bool)
        if not isinstance(node, Scalar) or not usable or not (self.numbers or isinstance(node.value, str)):
            hint = f"such as `{self.examples[0]}`" if self.examples else ""
            mismatch(self.noun, node, path, report, hint)
            return None
        try:
            return replace(node, value=self.parse(as_text(node.value)))
        except FormError as error:
            failed(error, node, path, report)
            return None

    def schema(self) -> Schema:
        kind: Schema = {"type": ["string", "number"] if self.numbers else "string"}
        return kind | ({"examples": list(self.examples)} if self.examples else {})


@dataclass(frozen=True)
class Whole:
    """A whole number, or a string that spells one (as interpolation leaves it)."""

    minimum: int | None = None

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
            value = parse_int(value.strip()) if "8" not in value and "9" not in value else int(value)
        if not isinstance(node, Scalar) or not isinstance(value, int) or isinstance(value, bool):
            mismatch("a whole number", node, path, report)
            return None
        if self.minimum is not None and value < self.minimum:
            report.error(f"{say(path)} must be at least {self.minimum}, found {value}", node.mark)
            return None
        return replace(node, value=value)

    def schema(self) -> Schema:
        return {"type": ["integer", "string"]} | ({"minimum": self.minimum} if self.minimum is not None else {})


@dataclass(frozen=True)
class Real:
    """A number, or a string that spells one."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        value = node.value if isinstance(node, Scalar) and not isinstance(node.value, bool) else None
        try:
            if isinstance(node, Scalar) and value is not None:
                return replace(node, value=float(value))
        except ValueError:
            pass
        mismatch("a number", node, path, report)
        return None

    def schema(self) -> Schema:
        return {"type": ["number", "string"]}


_FLAGS = dict.fromkeys(("true", "yes", "on", "y", "1"), True) | dict.fromkeys(("false", "no", "off", "n", "0"), False)


@dataclass(frozen=True)
class Flag:
    """`true` or `false`, also as a string; there alone YAML 1.1's `yes`, `on` and their like still count."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Scalar):
            value = _FLAGS.get(node.value.lower()) if isinstance(node.value, str) else node.value
            if isinstance(value, bool):
                return replace(node, value=value)
        mismatch("`true` or `false`", node, path, report)
        return None

    def schema(self) -> Schema:
        return {"type": ["boolean", "string"]}


@dataclass(frozen=True)
class ListOf:
    """A list; with `alone`, a single item may stand for a list of one."""

    item: Shape
    alone: bool = False

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if self.alone and not isinstance(node, Sequence):
            item = self.item.read(node, path, report)
            return None if item is None else Sequence((item,), node.mark, node.tag)
        if not isinstance(node, Sequence):
            mismatch("a list", node, path, report)
            return None
        read = [self.item.read(item, (*path, index), report) for index, item in enumerate(node.items)]
        return replace(node, items=tuple(item for item in read if item is not None))

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

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if self.names and isinstance(node, Sequence):
            node = self._from_names(node, path, report)
        if not isinstance(node, Mapping):
            mismatch("a mapping or a list of names" if self.names else "a mapping", node, path, report)
            return None
        entries: dict[str, Node] = {}
        for name, value in node.entries.items():
            here = (*path, name)
            if complaint := "" if name.startswith("x-") else self.check(name):
                report.error(f"{say(path)}: `{name}` {complaint}", node.key(name))
            keep = name.startswith("x-") or value.tag == "!reset" or (self.nulls and is_null(value))
            read = value if keep else self.value.read(value, here, report)
            if read is not None:
                entries[name] = read
        return replace(node, entries=entries)

    def _from_names(self, node: Sequence, path: Path, report: Report) -> Mapping:
        entries: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        for index, item in enumerate(node.items):
            name = Text().read(item, (*path, index), report)
            if isinstance(name, Scalar):
                entries[str(name.value)] = derived(None, name.mark)
                keys[str(name.value)] = name.mark
        return Mapping(entries, node.mark, keys, node.tag)

    def schema(self) -> Schema:
        value = self.value.schema()
        mapping: Schema = {
            "type": "object",
            "additionalProperties": {"oneOf": [value, {"type": "null"}]} if self.nulls and value else value,
        }
        names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
        return {"oneOf": [mapping, names]} if self.names else mapping


class Status(Enum):
    """How far an attribute is supported."""

    HONOURED = auto()
    PARSED = auto()
    """In the model, but nothing acts on it yet: a warning."""
    KNOWN = auto()
    """In the Compose Specification, but not read yet: a warning."""


@dataclass(frozen=True)
class Attribute:
    """One row of the table."""

    shape: Shape
    doc: str = ""
    status: Status = Status.HONOURED
    required: bool = False
    """In JSON Schema only: a file to be merged may leave it to the others."""


@dataclass(frozen=True)
class Record:
    """A mapping with attributes of given names; with `alone`, a scalar stands for that one attribute."""

    attributes: dict[str, Attribute]
    alone: str = ""
    title: str = ""
    """A record with a title becomes a definition of its own in the JSON Schema."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if self.alone and isinstance(node, Scalar):
            node = Mapping({self.alone: node}, node.mark, {self.alone: node.mark}, node.tag)
        if not isinstance(node, Mapping):
            mismatch("a mapping", node, path, report)
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
        return replace(node, entries=entries)

    def _attribute(
        self, attribute: Attribute, name: str, value: Node, node: Mapping, path: Path, report: Report
    ) -> Node | None:
        if is_null(value) or value.tag == "!reset":
            return value
        if attribute.status is not Status.HONOURED:
            report.warn(f"{say((*path, name))} is not supported yet and has no effect", node.key(name))
        return attribute.shape.read(value, (*path, name), report)

    def _unknown(self, name: str, node: Mapping, path: Path, report: Report) -> None:
        where = f"{say(path)}: " if path else ""
        message = (
            f"{where}`{name}` is not an attribute of a {self.title or 'Compose file'}"
            if not path or self.title
            else f"{where}there is no attribute `{name}`"
        )
        report.error(message, node.key(name), hint=did_you_mean(name, self.attributes))

    def schema(self) -> Schema:
        properties = {name: _described(attribute) for name, attribute in self.attributes.items()}
        required = [name for name, attribute in self.attributes.items() if attribute.required]
        mapping: Schema = {
            "type": "object",
            "properties": properties,
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
        } | ({"required": required} if required else {})
        return {"oneOf": [self.attributes[self.alone].shape.schema(), mapping]} if self.alone else mapping


def _described(attribute: Attribute) -> Schema:
    schema = attribute.shape.schema()
    doc = attribute.doc
    if attribute.status is not Status.HONOURED:
        doc = f"{doc} Not supported yet: has no effect.".strip()
    return ({"description": doc} if doc else {}) | schema
