"""What an attribute may look like: the grammar that the table in `attributes` is written in.

A shape does four things with one definition: it checks a node and reports what is wrong where; it returns the node in
its *canonical* form (long forms only, scalars typed), so that merging and everything after it meets one form of each
thing; it shows such a node as `config` prints it; and it describes itself as JSON Schema for editors. Forms of single
attributes are in `forms`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from composer.project.document import Mark, Node, Path, Scalar, plain, say
from composer.project.hints import rewritten
from composer.project.report import Report
from composer.project.scalars import as_text, date_text, resolve

Schema = dict[str, Any]
VARIABLE: Schema = {"type": "string", "pattern": r"\$"}
"""What may stand for any single value."""
_NUMBER = r"^\s*[-+.]?[0-9]|\$"
Value = str | int | float | bool | None


class Shape(Protocol):
    """One way (or a few ways) to write a value."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        """The node in canonical form; `None`, and a problem in the report, if it cannot be used."""

    def show(self, node: Node) -> Any:
        """A canonical node as plain data, as `docker compose config` writes it."""

    def schema(self) -> Schema:
        """The input forms as JSON Schema."""


class Plain:
    """Shapes whose canonical form is what is shown."""

    def show(self, node: Node) -> Any:
        """The node as plain data."""
        return plain(node)


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


_PERCENT = re.compile(r"([0-9]{1,6}) *%")
_MOST_CANDIDATES = 300
"""Comparing with more takes too long for a hint."""


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The hint that names the candidate closest to `word`; empty if none is close."""
    known = list(candidates)
    if len(known) > _MOST_CANDIDATES or len(word) > 100:
        return ""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def mismatch(wanted: str, node: Node, path: Path, report: Report, hint: str = "") -> None:
    """Report that something else than `wanted` stands here; without a hint, with the one that the form suggests."""
    message = f"{say(path) or 'the file'} must be {wanted}, found {node}"
    report.error(message, node.mark, hint=hint or rewritten(wanted, node))


def failed(error: FormError, node: Node, path: Path, report: Report) -> None:
    """Report a form error at the piece of the node it is about."""
    report.error(f"{say(path)}: {error.message}", node.mark.part(error.part), label=error.label, hint=error.hint)


@dataclass(frozen=True)
class Anything(Plain):
    """No demands: extensions, and what is known but not read yet."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        return node

    def schema(self) -> Schema:
        return {}


@dataclass(frozen=True)
class Text(Plain):
    """A string; with `numbers`, also a number or boolean, taken as Go prints it."""

    numbers: bool = False
    choices: tuple[str, ...] = ()
    pattern: str = ""
    blank: bool = False
    """Whether an empty string says nothing although it is no choice."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Scalar) and self.numbers and node.value is not None:
            text = as_text(node.value)
            is_plain = isinstance(node.value, str) and not node.literal and not node.tag
            node = replace(node, value=date_text(text) if is_plain else text)
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            mismatch("a string", node, path, report, "put it in quotes" if isinstance(node, Scalar) else "")
            return None
        if self.blank and not node.value:
            return replace(node, value=None)
        if self.choices and node.value not in self.choices:
            message = f"{say(path)}: `{node.value}` is not one of {', '.join(f'`{word}`' for word in self.choices)}"
            report.error(message, node.mark, hint=did_you_mean(node.value, self.choices))
            return None
        return node

    def schema(self) -> Schema:
        if self.choices:
            return {"anyOf": [{"type": "string", "enum": list(self.choices)}, VARIABLE]}
        kind: Schema = {"type": ["string", "number", "boolean"] if self.numbers else "string"}
        return kind | ({"pattern": self.pattern} if self.pattern else {})


@dataclass(frozen=True)
class Parsed:
    """A scalar in a notation of its own; `parse` returns its value or raises `FormError`."""

    noun: str
    parse: Callable[[str], Value]
    examples: tuple[str, ...] = ()
    numbers: bool = True
    format: Callable[[Any], Value] | None = None
    """How `config` writes a value that `parse` made, where it is not the value itself."""
    words: tuple[str, ...] = ()
    """The usual values, for editors to complete."""
    pattern: str = ""
    """What strings look like, for editors; a variable may always stand for them."""
    blank: bool = False
    """Whether an empty string, which an unset variable leaves, says nothing; elsewhere it is a mistake."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if self.blank and isinstance(node, Scalar) and node.value == "":
            return replace(node, value=None)
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

    def show(self, node: Node) -> Any:
        value = plain(node)
        # A string is a variable that was left as it is (`--no-interpolate`).
        return value if self.format is None or isinstance(value, str) else self.format(value)

    def schema(self) -> Schema:
        kind: Schema = {"type": ["string", "number"] if self.numbers else "string"}
        kind |= {"pattern": rf"^\s*({self.pattern})?\s*$|\$"} if self.pattern else {}
        kind |= {"examples": list(self.examples)} if self.examples else {}
        return {"anyOf": [{"enum": list(self.words)}, kind]} if self.words else kind


@dataclass(frozen=True)
class Whole(Plain):
    """A whole number, or a string that spells one (as interpolation leaves it)."""

    minimum: int | None = None
    maximum: int | None = None

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str):
            value = resolve(value.strip())
        if not isinstance(node, Scalar) or not isinstance(value, int) or isinstance(value, bool):
            mismatch("a whole number", node, path, report)
            return None
        if self.minimum is not None and value < self.minimum:
            report.error(f"{say(path)} must be at least {self.minimum}, found {value}", node.mark)
            return None
        if self.maximum is not None and value > self.maximum:
            report.error(f"{say(path)} must be at most {self.maximum}, found {value}", node.mark)
            return None
        return replace(node, value=value)

    def schema(self) -> Schema:
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        return {"type": ["integer", "string"], "pattern": _NUMBER} | {
            key: bound for key, bound in bounds.items() if bound is not None
        }


@dataclass(frozen=True)
class Real(Plain):
    """A number, or a string that spells one."""

    def show(self, node: Node) -> Any:
        value = plain(node)
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        value = node.value if isinstance(node, Scalar) and not isinstance(node.value, bool) else None
        try:
            if isinstance(node, Scalar) and value is not None and math.isfinite(float(value)):
                return replace(node, value=float(value))
        except (ValueError, OverflowError):
            pass
        percent = _PERCENT.fullmatch(node.text) if isinstance(node, Scalar) else None
        mismatch("a number", node, path, report, f"write `{int(percent[1]) / 100}`" if percent else "")
        return None

    def schema(self) -> Schema:
        return {"type": ["number", "string"], "pattern": _NUMBER}


_FLAG = r"^([Tt](rue|RUE)|[Ff](alse|ALSE)|[Yy](es|ES)?|[Nn][Oo]?|[Oo](n|N|ff|FF)|[01]|.*\$.*)$"
_FLAGS = dict.fromkeys(("true", "yes", "on", "y", "1"), True) | dict.fromkeys(("false", "no", "off", "n", "0"), False)


@dataclass(frozen=True)
class Flag(Plain):
    """`true` or `false`, also as a string; there alone YAML 1.1's `yes`, `on` and their like still count."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Scalar):
            value = _FLAGS.get(node.value.lower()) if isinstance(node.value, str) else node.value
            if isinstance(value, bool):
                return replace(node, value=value)
        mismatch("`true` or `false`", node, path, report)
        return None

    def schema(self) -> Schema:
        return {"type": ["boolean", "string"], "pattern": _FLAG}
