"""How to write what was meant: the hint that a value's own form suggests where another is wanted."""

from __future__ import annotations

import re

from composer.project.document import Mapping, Node, Scalar, Sequence

_QUOTED = re.compile(r"[:#,\[\]{}&*!|>'\"%@`]")
_PAIR = re.compile(r"([a-z_]+):(\S.*)")


def rewritten(wanted: str, node: Node) -> str:
    """How to write what stands at the node as what is `wanted`; empty if nobody can tell."""
    match node:
        case Sequence(items=(Mapping(entries=entries), *_)) if wanted.startswith("a mapping") and entries:
            return f"write `{next(iter(entries))}:` without the `- ` before it"
        case Sequence(items=(Scalar(text=text), *_)) if wanted.startswith("a mapping") and text.isidentifier():
            return f"write `{text}:` without the `- ` or brackets"
        case Mapping() if wanted == "a list":
            return "begin each entry with `- `"
        case Scalar(value=None):
            return "what belongs to it stands below it, indented" if wanted.startswith("a mapping") else ""
        case Scalar(text=text) if "list" in wanted and 0 < len(text) < 60:
            return f"write `[{plain_text(text)}]`, or `- {plain_text(text)}` in a line of its own"
        case Scalar(text=text) if wanted == "a mapping" and (pair := _PAIR.fullmatch(text)):
            return f"write `{pair[1]}: {pair[2]}`: a space stands after the colon"
        case _:
            return ""


def plain_text(text: str) -> str:
    """The text as YAML has it within brackets."""
    return f'"{text}"' if _QUOTED.search(text) else text
