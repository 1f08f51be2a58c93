"""What is wrong with a text that is no YAML: the parser's complaint, with the usual suspects found and named.

A parser stumbles behind the mistake, and says what it was about to read. What people did is one of a few things: tabs,
an indentation that fits nowhere, a colon without a space, a value that wants quotes, a merge that was left unresolved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONFLICT = re.compile(r"<{7}( |$)")
_TIGHT = re.compile(r"\s*(?:- )?([\w.-]+):([^\s:/].*|/[^/].*)$")
"""A key with its value against the colon; `http://x` is none."""
_WITH_VALUE = re.compile(r"\s*(?:- )?[\"']?([\w.-]+)[\"']?: +[^\s#|>&*{\[].*$")

_BEGUN = re.compile(r"[^\"'#]*[:-] (\"[^\"]*|'[^']*)")
"""A value whose quote is not closed in its line."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What to tell, and where: line and column count from 1."""

    message: str
    line: int
    column: int
    label: str = ""
    hint: str = ""


def explain(problem: str, context: str, lines: tuple[str, ...], line: int, column: int) -> Complaint:
    """What the parser's `problem` at a place (from 1) comes from."""
    conflict = next((number for number, text in enumerate(lines, 1) if _CONFLICT.match(text)), None)
    if conflict is not None:
        hint = "keep one of the two versions, and remove the lines that begin with `<<<<<<<`, `=======` and `>>>>>>>`"
        return Complaint("a merge was left unresolved in this file", conflict, 1, hint=hint)
    source = lines[line - 1] if line <= len(lines) else ""
    indent = source[: len(source) - len(source.lstrip())]
    if "\t" in indent:
        column = indent.index("\t") + 1
        return Complaint("YAML cannot be indented with tabs", line, column, "a tab", "indent with spaces")
    message = f"the file is not YAML: {problem}" + (f" {context}" if context else "")
    return Complaint(message, line, column, hint=_hint(problem, context, lines, line, column))


def _hint(problem: str, context: str, lines: tuple[str, ...], line: int, column: int) -> str:
    if "cannot start any token" in problem:
        return "quote a value that begins with one of @ ` % & * ! | > or a tab"
    if "flow" in context:
        return "a `,` is missing here, or a quote or bracket before is not closed"
    above = [text for text in lines[: line - 1] if text.strip() and not text.lstrip().startswith("#")]
    last = above[-1] if above else ""
    if "mapping values are not allowed" in problem:
        return (
            _tight_or_deep(lines[line - 1], last, column)
            or "check the indentation, or quote a value that contains `: `"
        )
    odd = [number for number, text in enumerate(lines[: line - 1], 1) if _BEGUN.fullmatch(text)]
    if "did not find expected" in problem and odd:
        return f"the quote in line {odd[-1]} is not closed there"
    if "did not find expected" in problem or "could not find expected ':'" in problem:
        return _outside(lines[line - 1] if line <= len(lines) else "", above) or (
            "check the indentation of this line and of those above it"
        )
    return ""


def _tight_or_deep(source: str, last: str, column: int) -> str:
    """The line above ends in a value, although the one that follows begins a mapping."""
    first = re.match(r"\s*(?:- )?[\w.\"'-]+(?=:)", source)
    if not first or first.end() + 1 != column:
        return ""  # It is the second colon of the line.
    if tight := _TIGHT.match(last):
        return f"the line above needs a space after the colon: `{tight[1]}: {tight[2].strip()}`"
    if _WITH_VALUE.match(last) and _width(source) > _width(last):
        return f"indent this line by {_width(last)}, as the one above: that has its value already"
    return ""


def _outside(source: str, above: list[str]) -> str:
    """The line's indentation is none that a line above has."""
    known = sorted({_width(text) for text in above})
    if not source.strip() or _width(source) in known:
        return ""
    near = [f"{width}" for width in known if width < _width(source)][-1:] + [
        f"{w}" for w in known if w > _width(source)
    ][:1]
    spaces = f"{_width(source)} space{'s' * (_width(source) != 1)}"
    return f"this line begins with {spaces}, those above it with {' or '.join(near)}"


def _width(text: str) -> int:
    return len(text) - len(text.lstrip())
