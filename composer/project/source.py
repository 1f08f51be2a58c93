"""The only door to YAML: texts become trees with positions, plain data becomes YAML again.

The event stream of the C parser is turned into nodes by a loop with its own stack, which bounds depth, size and the
growth by aliases as it goes; libyaml's own composer recurses and crashes on hostile depth. Anchors, aliases and merge
keys (`<<`) <https://yaml.org/type/merge.html> are resolved here; a file may hold several documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from composer.errors import Diagnostic, ProjectError, Severity
from composer.project.document import Mapping, Mark, Node, Scalar, Sequence, Text
from composer.project.ordering import in_order
from composer.project.reading import MAX_BYTES
from composer.project.scalars import resolve
from composer.project.shapes import did_you_mean
from composer.project.syntax import explain

MAX_DEPTH = 64
MAX_PROBLEMS = 100
MAX_NODES = 100_000
"""Counted after aliases are expanded, which is what makes a billion laughs finite."""

_CORE = "tag:yaml.org,2002:"
_Events = yaml.CLoader if yaml.__with_libyaml__ else yaml.Loader


def parse(text: str, name: str, order: int = 0) -> tuple[Node, ...]:
    """The documents of a YAML text; an empty one is left out.

    Raises:
        ProjectError: the text is not YAML, repeats a key, or is larger or deeper than any real file.
    """
    source = Text(name, tuple(text.splitlines()), order)
    if len(text) > MAX_BYTES:
        raise _problem(f"the file is larger than {MAX_BYTES >> 20} MiB", Mark(source, 1, 1))
    composer = _Composer(source)
    try:
        loader = _Events(text)
        try:
            while loader.check_event():
                composer.take(loader.get_event())
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _syntax(error, source) from error
    composer.raise_problems()
    return tuple(composer.documents)


def dump_yaml(data: Any) -> str:
    """`data` (dicts, lists, scalars) as YAML in the style of `docker compose config`."""
    return yaml.dump(in_order(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30, indent=2)


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as go-yaml does, and repeats shared values instead of anchoring them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_BREAKS = "\x85\u2028\u2029"
"""Line breaks to YAML 1.1, which folds them outside of double quotes."""


_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
"""What YAML 1.1 takes for a number of hours, minutes and seconds."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text and text.strip() == text.rstrip("\n") else None
    if any(sign in text for sign in _BREAKS) or (
        style is None and not (isinstance(resolve(text), str) and _is_text_elsewhere(text))
    ):
        style = '"'
    return dumper.represent_scalar(f"{_CORE}str", text, style=style)


def _is_text_elsewhere(text: str) -> bool:
    """Whether readers of YAML 1.1, who know `on` and `22:22` as something else, take the bare `text` for a string."""
    if text in ("y", "Y", "n", "N") or _BASE_60.fullmatch(text):
        return False
    first = text[:1]
    resolvers = _Dumper.yaml_implicit_resolvers.get(first, []) + _Dumper.yaml_implicit_resolvers.get(None, [])
    return not any(expression.match(text) for _, expression in resolvers)


_Dumper.add_representer(str, _represent_text)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet."""

    mark: Mark
    tag: str
    anchor: str | None
    before: int
    is_mapping: bool
    height: int = 0
    items: list[Node] = field(default_factory=list)
    """Of a mapping: its keys and values in turn."""


class _Composer:
    """Builds the nodes of one text from its events."""

    def __init__(self, text: Text) -> None:
        self.documents: list[Node] = []
        self._text = text
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int] | None] = {}
        """What each names, how many values that is and how deep; `None` while it is still open."""
        self._count = 0
        self._problems: list[Diagnostic] = []

    def raise_problems(self) -> None:
        """Raise what is wrong with single mappings and aliases, in file order.

        Raises:
            ProjectError: something is.
        """
        if self._problems:
            raise ProjectError(sorted(self._problems, key=_place))

    def _tell(self, error: ProjectError) -> None:
        """Note a problem that the rest of the file can be read in spite of."""
        self._problems += error.diagnostics
        if len(self._problems) >= MAX_PROBLEMS:
            self.raise_problems()

    def take(self, event: Any) -> None:
        """Use one event of the stream."""
        match event:
            case yaml.ScalarEvent():
                self._grow(1, event)
                node = _scalar(event, self._mark(event))
                if event.anchor:
                    self._anchors[event.anchor] = (node, 1, 0)
                self._add(node)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._begin(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._end()
            case yaml.DocumentStartEvent():
                self._anchors = {}
            case _:
                pass

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        lines = self._text.lines
        stop = end.column if end.line == start.line else len(lines[start.line]) if start.line < len(lines) else 0
        return Mark(self._text, start.line + 1, start.column + 1, max(stop - start.column, 1))

    def _grow(self, nodes: int, event: Any) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            raise _problem(f"the file expands to more than {MAX_NODES} values", self._mark(event))

    def _add(self, node: Node) -> None:
        if self._stack:
            self._stack[-1].items.append(node)
        elif not (isinstance(node, Scalar) and node.value is None):
            self.documents.append(node)

    def _alias(self, event: Any) -> None:
        mark = self._mark(event)
        if event.anchor not in self._anchors:
            hint = did_you_mean(event.anchor, self._anchors)
            self._tell(
                _problem(f"the alias `*{event.anchor}` has no anchor `&{event.anchor}` before it", mark, hint=hint)
            )
            self._add(Mapping({}, mark))  # never looked at
            return
        anchored = self._anchors[event.anchor]
        if anchored is None:
            raise _problem(f"the alias `*{event.anchor}` stands inside of what it names", mark)
        node, size, height = anchored
        self._grow(size, event)
        self._deepen(height, mark)
        self._add(node)

    def _deepen(self, height: int, mark: Mark) -> None:
        if len(self._stack) + height > MAX_DEPTH:
            raise _problem(f"the file is nested more than {MAX_DEPTH} levels deep", mark)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, height)

    def _begin(self, event: Any) -> None:
        mark = replace(self._mark(event), length=1)
        self._deepen(1, mark)
        self._grow(1, event)
        tag = event.tag or ""
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        _known_tag(tag, "map" if is_mapping else "seq", mark)
        self._stack.append(_Open(mark, tag, event.anchor, self._count - 1, is_mapping))
        if event.anchor:
            self._anchors[event.anchor] = None

    def _end(self) -> None:
        opened = self._stack.pop()
        tag = opened.tag if not opened.tag.startswith(_CORE) else ""
        node: Node = Sequence(tuple(opened.items), opened.mark, tag)
        if opened.is_mapping:
            node = _mapping(opened.items, opened.mark, tag, self._tell)
        height = opened.height + 1
        if opened.anchor:
            self._anchors[opened.anchor] = (node, self._count - opened.before, height)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, height)
        self._add(node)


def _scalar(event: Any, mark: Mark) -> Scalar:
    text: str = event.value
    if "\0" in text:
        raise _problem("a value cannot have a NUL in it", mark, hint="no process could be given it")
    tag: str = event.tag or ""
    if tag == "!" or (tag == "" and event.style):
        return Scalar(text, text, mark, literal=True)
    if tag.startswith(_CORE):
        return Scalar(_typed(text, tag.removeprefix(_CORE), mark), text, mark, literal=tag == f"{_CORE}str")
    if tag:
        _known_tag(tag, "str", mark)
    return Scalar(resolve(text), text, mark, tag)


def _typed(text: str, kind: str, mark: Mark) -> str | int | float | bool | None:
    value = resolve(text)
    match kind, value:
        case "str", _:
            return text
        case "null", None:
            return None
        case "bool", bool():
            return value
        case "int", int() if not isinstance(value, bool):
            return value
        case "float", int() | float() if not isinstance(value, bool):
            return float(value)
    raise _problem(f"`{text}` is not a `!!{kind}`", mark)


def _known_tag(tag: str, kind: str, mark: Mark) -> None:
    if tag and tag not in ("!reset", "!override", "!", f"{_CORE}{kind}"):
        hint = "the tags a Compose file may use are `!reset` and `!override`"
        raise _problem(f"the tag `{tag.replace(_CORE, '!!')}` has no meaning here", mark, hint=hint)


def _mapping(items: list[Node], mark: Mark, tag: str, tell: Callable[[ProjectError], None]) -> Node:
    entries: dict[str, Node] = {}
    keys: dict[str, Mark] = {}
    merges: list[Mapping] = []
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, Scalar) or not isinstance(key.value, str):
            tell(_problem(f"a key must be a string, found {key}", key.mark, hint=_as_text(key, value)))
            continue
        name = key.value
        if name in keys:
            message = f"the key `{name}` is given twice: first in line {keys[name].line}"
            hint = "`<<: [*a, *b]` merges several" if name == "<<" else "remove one of them"
            tell(_problem(message, key.mark, label="again here", hint=hint))
            continue
        keys[name] = key.mark
        if name == "<<" and isinstance(key, Scalar) and not key.literal:
            merges += _merged(value, key.mark, tell)
        else:
            entries[name] = value
    if merges:
        keys.pop("<<", None)
    for merged in merges:  # The first that has a key wins, and the mapping's own keys win over all.
        entries = {**merged.entries, **entries}
        keys = {**merged.keys, **keys}
    return Mapping(entries, mark, keys, tag)


def _as_text(key: Node, value: Node) -> str:
    """What to do with a key that is no string: `80: 80` was meant to be a port."""
    if not isinstance(key, Scalar):
        return ""
    if isinstance(key.value, int) and isinstance(value, Scalar) and isinstance(value.value, int):
        return f'put it in quotes, or write `"{key.text}:{value.text}"`'
    return "put it in quotes"


def _merged(value: Node, mark: Mark, tell: Callable[[ProjectError], None]) -> list[Mapping]:
    candidates = value.items if isinstance(value, Sequence) else (value,)
    found = [node for node in candidates if isinstance(node, Mapping)]
    if len(found) != len(candidates):
        name = value.value if isinstance(value, Scalar) and isinstance(value.value, str) else ""
        tell(_problem("`<<` can only merge mappings", mark, hint=f"write `<<: *{name}`" if name.isidentifier() else ""))
    return found


def _place(problem: Diagnostic) -> tuple[int, int]:
    return (problem.location.line, problem.location.column) if problem.location else (0, 0)


def _problem(message: str, mark: Mark, *, label: str = "", hint: str = "") -> ProjectError:
    return ProjectError([Diagnostic(Severity.ERROR, message, mark.location, label, hint)])


def _syntax(error: yaml.YAMLError, text: Text) -> ProjectError:
    position: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    if "unexpected end of stream" in problem and "quoted" in (getattr(error, "context", None) or ""):
        opened = error.context_mark  # type: ignore[attr-defined]  # where the parser has it
        mark = Mark(text, opened.line + 1, opened.column + 1)
        return _problem("the file is not YAML: a quote is never closed", mark, label="opened here", hint="close it")
    if isinstance(error, yaml.reader.ReaderError):
        sign = chr(error.character)
        number, line = next((each for each in enumerate(text.lines, 1) if sign in each[1]), (1, ""))
        mark = Mark(text, number, line.find(sign) + 1)
        return _problem(f"the file is not YAML: U+{ord(sign):04X} cannot be in it", mark, hint="remove it")
    if "maximum nesting depth" in problem:  # libyaml's own bound, on long flow lines
        return _problem(f"the file is nested more than {MAX_DEPTH} levels deep", Mark(text, position.line + 1, 1))
    line = min(position.line, max(len(text.lines) - 1, 0))
    column = position.column + 1 if line == position.line else 1
    found = explain(problem, getattr(error, "context", None) or "", text.lines, line + 1, column)
    return _problem(found.message, Mark(text, found.line, found.column), label=found.label, hint=found.hint)
