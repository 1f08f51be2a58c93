"""One thing a rule found."""

from __future__ import annotations

from dataclasses import dataclass

from composer.build.dockerfile.instructions import Instruction
from composer.build.dockerfile.lint.rules import Rule
from composer.build.dockerfile.source import Span


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule, its message, and the instruction it is about."""

    rule: Rule
    message: str
    instruction: Instruction
    word: str = ""
    """What the caret shows; empty for the whole instruction."""
    hint: str = ""
    """What to do just here, where that is known."""
    span: Span | None = None
    """Where the place is not the instruction's own."""


def found(rule: Rule, instruction: Instruction, /, *, word: str = "", hint: str = "", **values: str) -> Finding:
    """The finding whose message has `values` in it."""
    return Finding(rule, rule.message.format(**values), instruction, word, hint)
