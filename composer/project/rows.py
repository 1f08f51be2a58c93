"""The words that the tables of attributes are written with: rows, and the shapes that many rows share."""

from __future__ import annotations

from typing import Any

from composer.project import forms
from composer.project.quantities import format_duration, parse_duration, parse_limit, parse_size
from composer.project.records import Attribute, ListOf, Status
from composer.project.shapes import Parsed, Shape, Text


def of(
    shape: Shape,
    doc: str,
    *,
    required: bool = False,
    always: bool = False,
    default: Any = None,
    examples: tuple[Any, ...] = (),
) -> Attribute:
    """An attribute that is honoured."""
    return Attribute(shape, doc, Status.HONOURED, required, always, default, examples)


def unheard(
    shape: Shape,
    doc: str,
    *,
    required: bool = False,
    always: bool = False,
    default: Any = None,
    examples: tuple[Any, ...] = (),
) -> Attribute:
    """An attribute that is read and checked but that nothing acts on yet: it gives a warning where it is used."""
    return Attribute(shape, doc, Status.PARSED, required, always, default, examples)


STRINGS = ListOf(Text())
SCALARS = ListOf(Text(numbers=True))
ONE_OR_MORE = ListOf(Text(), alone=True)
_DURATION = r"[-+]?0|\+?([0-9]*\.?[0-9]*(ns|us|µs|ms|s|m|h|d|w))+"
_SIZE = r"[0-9]+(\.[0-9]+)?\s*[bBkKmMgGtT]?[iI]?[bB]?"
DURATION = Parsed("a duration", parse_duration, ("30s", "1m30s"), format=format_duration, pattern=_DURATION)
SIZE = Parsed("a size", parse_size, ("64m", "1gb"), format=str, pattern=_SIZE)
LIMIT = Parsed("a size", parse_limit, ("64m", "1gb"), format=str, pattern=f"-1|{_SIZE}")
ADDRESS = Parsed("an address", forms.parse_address, blank=True)
NUMBERED = Text(numbers=True)
PAIRS = forms.Pairs()
LABELS = of(forms.Labels(), "Metadata: a mapping, or a list of `NAME=VALUE`.")
ULIMITS_DOC = "Resource limits, see getrlimit(2)."
