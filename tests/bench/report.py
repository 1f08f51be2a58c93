"""Samples become a table in Markdown, and JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping

from tests.bench.figures import Figure

Samples = dict[Figure, dict[str, list[float]]]
"""Values by figure and side."""


def table(samples: Samples) -> str:
    """Medians side by side. `better` says how many times better composer is, whichever direction is good."""
    lines = [
        f"{platform.node()}: {os.cpu_count()} cores, Linux {platform.release()}; medians (best)",
        "",
        "| figure | unit | Docker + Compose | composer | better | n |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [_row(figure, sides) for figure, sides in samples.items()]
    return "\n".join(lines) + "\n"


def _row(figure: Figure, sides: Mapping[str, list[float]]) -> str:
    docker, ours = sides.get("docker", []), sides.get("composer", [])
    better = ""
    if docker and ours:
        theirs, own = statistics.median(docker), statistics.median(ours)
        ratio = own / theirs if figure.more_is_better else theirs / own if own else float("inf")
        better = f"{ratio:.1f}×" if ratio < 100 else "> 100×"
    cells = (figure.name, figure.unit, _cell(figure, docker), _cell(figure, ours), better, str(len(ours)))
    return "| " + " | ".join(cells) + " |"


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
