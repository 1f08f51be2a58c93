"""The YAML tree: what a file says, and for every node where it says it.

Nodes are immutable, so that an alias can share what its anchor names. `Mapping.keys` keeps the place of each key apart
from the place of its value: a wrong value is shown under the value, an unknown attribute under its key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from composer.errors import Location

_TYPE_NAMES = {bool: "the boolean", int: "the number", float: "the number", str: "the string"}

MAX_SHOWN = 500
"""A source line longer than this was not written by hand, and is not shown."""

Path = tuple[str | int, ...]
"""Where a node stands in the tree: mapping keys and sequence indexes, outermost first."""


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One text that was read; `order` is its place in the order of merging."""

    name: str
    """As shown to the user: relative to where the command runs, if it lies below."""
    lines: tuple[str, ...]
    order: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A span on one line of a text; `line` and `column` count from 1."""

    text: Text
    line: int
    column: int
    length: int = 1

    @property
    def location(self) -> Location:
        """The place with its source line, as diagnostics carry it."""
        lines = self.text.lines
        source = lines[self.line - 1] if self.line <= len(lines) else ""
        if len(source) > MAX_SHOWN:
            source = ""
        return Location(self.text.name, self.line, self.column, self.length, source)

    def part(self, words: str) -> Mark:
        """The span of `words` within this one, or this one where they do not stand literally."""
        lines = self.text.lines
        if not words or self.line > len(lines):
            return self
        start = lines[self.line - 1].rfind(words, self.column - 1, self.column - 1 + self.length)
        return self if start < 0 else replace(self, column=start + 1, length=len(words))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `value` is typed as YAML (and later the attribute's shape) has it, `text` is as written."""

    value: str | int | float | bool | None
    text: str
    mark: Mark
    tag: str = ""
    literal: bool = False
    """Quoted or a block: certainly meant as a string."""

    def __str__(self) -> str:
        if self.value is None:
            return "nothing"
        text = self.text if len(self.text) <= 60 else f"{self.text[:60]}…"
        return f"{_TYPE_NAMES[type(self.value)]} `{text.splitlines()[0] if text else ''}`"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    mark: Mark
    tag: str = ""

    def __str__(self) -> str:
        return "a list"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping with string keys, in file order."""

    entries: dict[str, Node]
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    tag: str = ""

    def __str__(self) -> str:
        return "a mapping"

    def get(self, key: str) -> Node | None:
        """The value of `key`; a null counts as not said."""
        node = self.entries.get(key)
        return None if node is not None and is_null(node) else node

    def key(self, key: str) -> Mark:
        """The place of `key`, or of the whole mapping for a key that was not written here."""
        return self.keys.get(key, self.mark)


Node = Scalar | Sequence | Mapping


def is_null(node: Node) -> bool:
    """Whether the file says `null`, or nothing at all, here."""
    return isinstance(node, Scalar) and node.value is None


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Mark]]:
    """Every place below `node`: a scalar's own, a collection's by its key."""
    match node:
        case Mapping():
            for key, value in node.entries.items():
                here = (*path, key)
                yield here, value.mark if isinstance(value, Scalar) and value.value is not None else node.key(key)
                yield from walk(value, here)
        case Sequence():
            for index, value in enumerate(node.items):
                yield (*path, index), value.mark
                yield from walk(value, (*path, index))
        case Scalar():
            return


def plain(node: Node) -> Any:
    """The tree as ordinary dicts, lists and scalars."""
    match node:
        case Mapping():
            return {key: plain(value) for key, value in node.entries.items()}
        case Sequence():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value


def say(path: Path) -> str:
    """A path as messages show it: `services.web.ports[1]`."""
    words = ""
    for step in path:
        words += f"[{step}]" if isinstance(step, int) else f".{step}" if words else step
    return words
