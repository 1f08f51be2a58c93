"""What a command answers on stdout: text, JSON, tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from composer.cli.render.table import table
from composer.errors import UsageError


def say(*lines: str) -> None:
    """Print lines."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def write(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text)


def say_json(value: Any) -> None:
    """Print one value on one line."""
    say(compact(value))


def compact(value: Any) -> str:
    """JSON without spaces, as Docker Compose writes it: scripts look for `"State":"running"` in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def say_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns."""
    sys.stdout.write(table(headings, rows))


def say_plan(plan: str) -> None:
    """Print a plan, or that there is nothing in it."""
    say(plan.rstrip("\n") if plan.strip() else "nothing to do")


def copy_file(path: Path, lines: int) -> None:
    """Print the last lines of a text file, or all of it for 0. Raises UsageError when it cannot be read."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {(error.strerror or 'error').lower()}") from error
    say(*text.splitlines()[-lines:])
