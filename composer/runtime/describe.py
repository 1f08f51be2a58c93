"""Steps read aloud: one a line, what is as by default left out. Stable, so that tests and people can compare it.

Programs appear as their size and environments as their names: a step list may hold secrets, its description none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import Any

from composer.keeper.steps import Exec, Netlink, Step
from composer.runtime.mount_options import flag_names


def describe(steps: Iterable[Step]) -> str:
    """The steps as text, a line each, with a line end after the last."""
    return "".join(f"{_line(step)}\n" for step in steps)


def _line(step: Step) -> str:
    words = [type(step).__name__]
    for field in fields(step):
        value = getattr(step, field.name)
        if _is_default(field, value):
            continue
        words.append(f"{field.name}={_value(step, field.name, value)}")
    return " ".join(words)


def _is_default(field: Field[Any], value: Any) -> bool:
    return field.default is not MISSING and type(value) is type(field.default) and value == field.default


def _value(step: Step, name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(step, Netlink) and name == "messages":
        return f"{len(value)} messages, {sum(map(len, value))} bytes"
    if isinstance(step, Exec) and name == "environment":
        return f"[{' '.join(item.partition('=')[0] for item in value)}]"
    if name == "flags":
        return flag_names(value)
    if name in ("mode", "umask"):
        return f"{value:04o}"
    if isinstance(value, tuple):
        return f"[{' '.join(map(str, value))}]"
    return str(value) if value != "" else '""'
