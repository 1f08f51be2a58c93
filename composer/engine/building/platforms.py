"""Which of the platforms that a build names it is made for: one that runs here, or every one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from composer.errors import ImageError, UsageError
from composer.oci.platform import parse_platform, rank, this_platform
from composer.runtime.emulation import REGISTERED, runs_here


def choose_platform(wanted: str, offered: Sequence[str], registered: Path = REGISTERED) -> str:
    """The platform to build for, "" where nothing names one: `wanted` if said, else the first of `offered` that runs here.

    Where none does it is the first one: that matters only to a step that runs a program of it.

    Raises:
        UsageError: a platform that is none, or `wanted` is none of those that the build is for.
    """
    every = every_platform(wanted, offered)
    if wanted or not every:
        return wanted
    return min(every, key=lambda each: _distance(each, registered))


def every_platform(wanted: str, offered: Sequence[str]) -> tuple[str, ...]:
    """All of `offered`, each once; only `wanted` where nothing is offered. Raises UsageError as `choose_platform`."""
    try:
        known = {parse_platform(each): each for each in reversed(offered)}
        if wanted and offered and parse_platform(wanted) not in known:
            listed = ", ".join(f"`{each}`" for each in offered)
            raise UsageError(f"`{wanted}` is not among {listed}", hint="add it, or leave the service's `platform` out")
        if wanted:
            parse_platform(wanted)
    except ImageError as error:
        raise UsageError(error.message, hint=error.hint) from error
    return tuple(reversed(known.values())) or ((wanted,) if wanted else ())


def _distance(platform: str, registered: Path) -> int:
    """This machine's own platform first, then what is emulated, others in the order of the file."""
    if rank(parse_platform(platform), this_platform()) is not None:
        return 0
    return 1 if runs_here(platform, registered) else 2
