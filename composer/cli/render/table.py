"""Aligned columns, as `docker compose` prints them: upper-case headings, three spaces between."""

from __future__ import annotations

from collections.abc import Sequence

from composer.cli.render.terminal import clean, width_of

GAP = 3


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their headings, one line each, nothing at the line ends."""
    lines = [list(headings), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(width_of(line[column]) for line in lines) for column in range(len(headings))]
    return "".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - width_of(cell) + GAP) for cell, width in zip(cells, widths, strict=True))
    return "".join(padded).rstrip() + "\n"
