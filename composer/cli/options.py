"""Options that several commands share, and the reading of their values."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from composer.errors import UsageError

Services = Annotated[
    list[str] | None, typer.Argument(metavar="SERVICE", show_default=False, help="All, if none is named")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", "-t", metavar="SECONDS", help="Grace before containers are killed")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing")]
Environment = Annotated[list[str] | None, typer.Option("--env", "-e", metavar="KEY[=VALUE]", help="Set a variable")]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "d": 86400.0}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|us|µs|ns|[hmsd]))")


def check_format(value: str, *known: str, noun: str = "format") -> str:
    """`value`, which must be one of `known`. Raises UsageError."""
    if value not in known:
        raise UsageError(f"`{value}` is not a {noun}", hint=f"use one of {', '.join(known)}")
    return value


def point_in_time(value: str, option: str, now: float | None = None) -> float | None:
    """Seconds since the epoch: a timestamp, an RFC 3339 date, or a duration that has passed since (`42m`, `1h30m`).

    Empty is None. Raises UsageError.
    """
    if not value:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    if re.fullmatch(rf"(?:{_DURATION.pattern})+", value):
        passed = sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(value))
        return (time.time() if now is None else now) - passed
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError as error:
        raise UsageError(
            f"`{option} {value}` is not a point in time", hint="write `42m`, `2024-01-31T12:00:00Z` or a timestamp"
        ) from error


def number_of_lines(value: str) -> int | None:
    """The value of `--tail`: a number, or None for `all`. Raises UsageError."""
    if value in ("all", ""):
        return None
    if re.fullmatch(r"-?\d+", value):
        return int(value) if int(value) >= 0 else None
    raise UsageError(f"`--tail {value}` is not a number of lines", hint="write a number or `all`")


def scale_of(values: list[str] | None, option: str = "--scale ") -> dict[str, int]:
    """The values of `--scale SERVICE=NUMBER`; `option` is what stands before each of them. Raises UsageError."""
    numbers = {}
    for value in values or ():
        service, equals, number = value.partition("=")
        if not (service and equals and number.isdigit()):
            hint = f"write for instance `{option}web=3`"
            raise UsageError(f"`{option}{value}` is not SERVICE=NUMBER", hint=hint)
        numbers[service] = int(number)
    return numbers


def signal_name(value: str) -> str:
    """A signal by name, with or without SIG, or by number, as `SIG…`. Raises UsageError."""
    from signal import Signals

    name = value.upper()
    try:
        return (
            Signals(int(name)).name
            if name.isdigit()
            else Signals[name if name.startswith("SIG") else f"SIG{name}"].name
        )
    except (KeyError, ValueError) as error:
        raise UsageError(f"`{value}` is not a signal", hint="write for instance `SIGTERM`, `TERM` or `15`") from error


def variables(values: list[str] | None, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values of `-e KEY=VALUE`; a `KEY` alone takes its value from this environment, or is left out."""
    given = []
    for value in values or ():
        key, equals, _ = value.partition("=")
        if not key:
            raise UsageError(f"`-e {value}` is not KEY=VALUE", hint="write for instance `-e DEBUG=1`")
        if equals:
            given.append(value)
        elif key in environment:
            given.append(f"{key}={environment[key]}")
    return tuple(given)
