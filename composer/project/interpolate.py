"""Variables in values: `$NAME`, `${NAME}` and the forms with a default, a demand or an alternative.

    ${V:-d} ${V-d}   d where V is unset (`:` or empty)         ${V:+a} ${V+a}   a where V is set (`:` and not empty)
    ${V:?e} ${V?e}   an error saying e where V is unset (…)    $$               a dollar sign

A `$` before anything else (`$1`, `^a$`, `$(date)`) stands for itself.
After <https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md>. What follows an operator may hold
variables again and is only looked at where it is used. Keys are never interpolated. The result is a string; a shape
that wants a number or a boolean reads it as one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import is_

from composer.project.document import Mapping as MappingNode
from composer.project.document import Mark, Node, Path, Scalar, Sequence, say
from composer.project.report import Report
from composer.project.variables import Variable, named_in

Lookup = Callable[[str], str | None]
"""The value of a variable, `None` if it is not set."""

MAX_NESTING = 50
"""Of variables within the defaults of others."""
MAX_LENGTH = 16 << 20
"""Of all values together once they are filled in."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


class TemplateError(ValueError):
    """A template that cannot be filled in; `part` is the piece of it that is to blame."""

    def __init__(self, message: str, part: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.part = part
        self.hint = hint


def substitute(template: str, lookup: Lookup, missing: Callable[[str], None] = lambda name: None) -> str:
    """`template` with every variable replaced; `missing` hears of those unset that nothing stands in for.

    Raises:
        TemplateError: the template is malformed, or a demanded variable is not set.
    """
    pieces: list[str] = []
    position = 0
    while (dollar := template.find("$", position)) >= 0:
        pieces.append(template[position:dollar])
        after = template[dollar + 1 : dollar + 2]
        if after == "$":
            pieces.append("$")
            position = dollar + 2
        elif after == "{":
            end = _closing(template, dollar)
            pieces.append(_braced(template[dollar + 2 : end], lookup, missing))
            position = end + 1
        elif name := _NAME.match(template, dollar + 1):
            pieces.append(_value(name[0], lookup, missing))
            position = name.end()
        else:
            pieces.append("$")
            position = dollar + 1
    pieces.append(template[position:])
    return "".join(pieces)


def _closing(template: str, start: int) -> int:
    """The index of the brace that closes the one at `start` + 1."""
    depth = 0
    position = start
    while position < len(template):
        if template.startswith("${", position):
            depth += 1
            position += 1
            if depth > MAX_NESTING:
                raise TemplateError(
                    f"variables are nested more than {MAX_NESTING} levels deep", template[start : start + 2]
                )
        elif template[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    rest = template[start:]
    raise TemplateError(f"`{rest if len(rest) < 60 else rest[:59] + '…'}` has no closing brace", rest)


def _braced(inside: str, lookup: Lookup, missing: Callable[[str], None]) -> str:
    name = _NAME.match(inside)
    if not name:
        raise _malformed(f"${{{inside}}}")
    rest = inside[name.end() :]
    if not rest:
        return _value(name[0], lookup, missing)
    operator = _OPERATOR.match(rest)
    if not operator:
        raise _malformed(f"${{{inside}}}")
    word = rest[operator.end() :]
    value = lookup(name[0])
    given = bool(value) if operator[0].startswith(":") else value is not None
    match operator[0][-1]:
        case "-":
            return value or "" if given else substitute(word, lookup, missing)
        case "+":
            return substitute(word, lookup, missing) if given else ""
        case _:
            if given:
                return value or ""
            said = substitute(word, lookup, missing)
            message = f"the variable `{name[0]}` must be set" + (f": {said}" if said else "")
            raise TemplateError(message, f"${{{inside}}}", f"set `{name[0]}` in the environment or in `.env`")


def _value(name: str, lookup: Lookup, missing: Callable[[str], None]) -> str:
    value = lookup(name)
    if value is None:
        missing(name)
        return ""
    return value


def _malformed(part: str) -> TemplateError:
    return TemplateError(f"`{part}` is not a variable", part, "write `$$` for a dollar sign that stands for itself")


class Interpolator:
    """Fills in the variables of whole trees, and remembers which ones were used."""

    def __init__(self, environment: Mapping[str, str], report: Report, *, raw: bool = False) -> None:
        """With `raw`, values stay as they are and their variables are only noted."""
        self.used: dict[str, str] = {}
        self.named: set[Variable] = set()
        self.templates: dict[Mark, str] = {}
        """What stood where something was filled in."""
        self._raw = raw
        self._environment = environment
        self._report = report
        self._unset: set[str] = set()
        self._length = 0
        self._done: dict[int, tuple[Node, Node]] = {}

    def lookup(self, name: str) -> str | None:
        """The variable's value, noted as used."""
        value = self._environment.get(name)
        if value is not None:
            self.used[name] = value
        return value

    def within(self, environment: Mapping[str, str]) -> Interpolator:
        """One for an included project with variables of its own; what it uses counts here too."""
        inner = Interpolator(environment, self._report, raw=self._raw)
        inner.used, inner.named, inner.templates = self.used, self.named, self.templates
        return inner

    def interpolate(self, node: Node, path: Path = ()) -> Node:
        """The tree with every value filled in; problems go to the report."""
        done = self._done.get(id(node))
        if done is None:  # What several aliases share stays shared.
            done = self._done[id(node)] = (node, self._interpolated(node, path))
        return done[1]

    def _interpolated(self, node: Node, path: Path) -> Node:
        match node:
            case MappingNode():
                entries = {key: self.interpolate(value, (*path, key)) for key, value in node.entries.items()}
                is_same = all(map(is_, entries.values(), node.entries.values()))
                return node if is_same else replace(node, entries=entries)
            case Sequence():
                items = tuple(self.interpolate(v, (*path, i)) for i, v in enumerate(node.items))
                return node if all(map(is_, items, node.items)) else replace(node, items=items)
            case Scalar():
                return self._filled(node, path)

    def _filled(self, node: Scalar, path: Path) -> Scalar:
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        self.named.update(named_in(node.value))
        if self._raw:
            return node
        self.templates[node.mark] = node.value

        def missing(name: str) -> None:
            if name not in self._unset:
                self._unset.add(name)
                message = f"the variable `{name}` is not set, an empty string stands in for it"
                self._report.warn(message, node.mark.part(name), hint=f"`${{{name}:-}}` says that this is meant")

        try:
            value = substitute(node.value, self.lookup, missing)
        except TemplateError as error:
            mark = node.mark.part(error.part)
            self._report.error(f"{say(path)}: {error.message}" if path else error.message, mark, hint=error.hint)
            return replace(node, value="")
        self._length += len(value)
        if self._length > MAX_LENGTH:
            self._report.error(f"variables fill in more than {MAX_LENGTH >> 20} MiB", node.mark)
            self._report.raise_errors()
        return replace(node, value=value, text=value, literal=True)
