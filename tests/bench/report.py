"""Samples become a table in Markdown, and JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence

from tests.bench.figures import Figure

Samples = dict[Figure, dict[str, list[float]]]
"""Values by figure and side."""


def table(samples: Samples) -> str:
    """Medians side by side. `better` says how many times better composer is, whichever direction is good."""
    others = {"docker": "Docker + Compose"}
    if any("podman" in sides for sides in samples.values()):
        others["podman"] = "Podman"
    headings = (
        "figure",
        "unit",
        *others.values(),
        "composer",
        *(f"better than {name}" for name in others.values()),
        "n",
    )
    lines = [
        f"{platform.node()}: {os.cpu_count()} cores, Linux {platform.release()}; medians (best)",
        "",
        _line(headings),
        _line(["---", "---", *["---:"] * (len(headings) - 2)]),
    ]
    lines += [_line(_row(figure, sides, list(others))) for figure, sides in samples.items()]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _row(figure: Figure, sides: Mapping[str, list[float]], others: Sequence[str]) -> list[str]:
    ours = sides.get("composer", [])
    cells = [_cell(figure, sides.get(name, [])) for name in (*others, "composer")]
    better = [_better(figure, sides.get(name, []), ours) for name in others]
    return [figure.name, figure.unit, *cells, *better, str(len(ours))]


def _better(figure: Figure, theirs: list[float], ours: list[float]) -> str:
    if not theirs or not ours:
        return ""
    other, own = statistics.median(theirs), statistics.median(ours)
    ratio = own / other if figure.more_is_better else other / own if own else float("inf")
    return f"{ratio:.1f}×" if ratio < 100 else "> 100×"


def _cell(figure: Figure, values: list[float]) -> str:
    if not values:
        return ""
    best = max(values) if figure.more_is_better else min(values)
    return f"{statistics.median(values):.3g} ({best:.3g})"


def as_json(samples: Samples) -> str:
    """Every value, for later."""
    rows = [
        {"figure": figure.name, "unit": figure.unit, "more_is_better": figure.more_is_better, **sides}
        for figure, sides in samples.items()
    ]
    return json.dumps({"machine": platform.node(), "kernel": platform.release(), "figures": rows}, indent=1) + "\n"
