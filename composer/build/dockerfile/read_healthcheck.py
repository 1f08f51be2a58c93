"""HEALTHCHECK."""

from __future__ import annotations

import re
from typing import Any

from composer.build.dockerfile.durations import nanoseconds
from composer.build.dockerfile.instructions import ExecForm, Healthcheck, ShellForm
from composer.build.dockerfile.problems import did_you_mean
from composer.build.dockerfile.reading import Kind, Reading
from composer.build.dockerfile.spaces import SPACES
from composer.build.dockerfile.words import json_strings

_DURATIONS = ("interval", "timeout", "start-period", "start-interval")
HEALTHCHECK_FLAGS = {**dict.fromkeys(_DURATIONS, Kind.TEXT), "retries": Kind.TEXT}
_SHORTEST = 1_000_000
_TYPE = re.compile(rf"([^{SPACES}]+)[{SPACES}]*(.*)", re.DOTALL)


def read_healthcheck(reading: Reading) -> Healthcheck:
    """The HEALTHCHECK. Raises UnreadableError."""
    match = _TYPE.fullmatch(reading.statement.rest)
    if match is None:
        raise reading.fail(
            "`HEALTHCHECK` requires at least one argument", hint="write `HEALTHCHECK CMD …` or `HEALTHCHECK NONE`"
        )
    kind, rest = match.groups()
    if kind.upper() == "NONE":
        if rest:
            raise reading.fail("`HEALTHCHECK NONE` takes no arguments", rest)
        return Healthcheck(**reading.common, command=None)
    flags = reading.flags(HEALTHCHECK_FLAGS)
    if kind.upper() != "CMD":
        hint = did_you_mean(kind, ("CMD", "NONE")) or f"write `HEALTHCHECK CMD {reading.statement.rest}`"
        raise reading.fail(f"unknown type `{kind}` in `HEALTHCHECK`", kind, hint=hint)
    if not rest:
        raise reading.fail("missing command after `HEALTHCHECK CMD`")
    try:
        argv = json_strings(rest)
    except ValueError as error:
        raise reading.fail(str(error), rest) from None
    if argv is not None and not argv:
        raise reading.fail("missing command after `HEALTHCHECK CMD`", rest)
    command = ShellForm(rest) if argv is None else ExecForm(tuple(argv))
    interval, timeout, start_period, start_interval = (_duration(reading, flags, name) for name in _DURATIONS)
    return Healthcheck(
        **reading.common,
        command=command,
        interval=interval,
        timeout=timeout,
        start_period=start_period,
        start_interval=start_interval,
        retries=_retries(reading, flags),
    )


def _duration(reading: Reading, flags: dict[str, Any], name: str) -> int:
    text = flags.get(name, "")
    if not text:
        return 0
    try:
        duration = nanoseconds(text)
    except ValueError as error:
        reading.wrong_flag(reading.flag(name), f"`--{name}`: {error}")
        return 0
    if duration and duration < _SHORTEST:
        reading.wrong_flag(reading.flag(name), f"`--{name}={text}` cannot be less than 1ms")
    return duration


def _retries(reading: Reading, flags: dict[str, Any]) -> int:
    text = flags.get("retries", "")
    if not text:
        return 0
    if not re.fullmatch(r"\+?[0-9]{1,9}", text):
        reading.wrong_flag(reading.flag("retries"), f"`--retries` takes a number that is not negative, not `{text}`")
        return 0
    return int(text)
