"""Which variables a template names, and what it says of each: for people who want to know what a project can be told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from composer.project.document import Node, Scalar

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?P<operator>:?[-?+])?)")


_BRACED = re.compile(r"\$\{[^{}]*\}")
"""One without another in it."""
_MOST = 1000
"""Variables in one value: more are not written by people."""
_DEEPEST = 50
"""How far defaults within defaults are looked at: what is nested deeper is refused anyway."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as a file names it."""

    name: str
    required: bool = False
    default: str = ""
    alternate: str = ""
    """What stands there if it is set: `${NAME:+…}`."""


def named_in(template: str) -> Iterator[Variable]:
    """The variables of a template, those within defaults included; a malformed rest is passed over."""
    if template.count("${") > _MOST:
        return
    for found in _REFERENCE.finditer(template):
        name = found["bare"] or found["name"]
        if not name:
            continue
        operator, word = (found["operator"] or "")[-1:], _word(template, found.end())
        yield Variable(
            name,
            required=operator == "?",
            default=word if operator == "-" else "",
            alternate=word if operator == "+" else "",
        )


def is_unfilled(node: Node | None) -> bool:
    """Whether the node is a value whose variables are still to be filled in (`--no-interpolate`)."""
    return isinstance(node, Scalar) and isinstance(node.value, str) and "$" in node.value


def split_outside(text: str, sign: str) -> tuple[str, str, str]:
    """`text` parted at the first `sign` that stands in no variable."""
    blank = _BRACED.sub(lambda found: "\0" * len(found[0]), text)
    while blank != (blank := _BRACED.sub(lambda found: "\0" * len(found[0]), blank)):
        pass
    before, found, _ = blank.partition(sign)
    return text[: len(before)], found, text[len(before) + len(found) :]


def _word(template: str, start: int) -> str:
    """What stands between an operator and the brace that closes it."""
    depth = 1
    for position in range(start, len(template)):
        if template.startswith("${", position):
            depth += 1
            if depth > _DEEPEST:
                return ""
        elif template[position] == "}":
            depth -= 1
            if depth == 0:
                return template[start:position]
    return template[start:]
