"""What `--build` and `--pull` may say, checked before anything is begun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from composer.errors import UsageError

if TYPE_CHECKING:
    from composer.project.model import Project

PULL_POLICIES = ("policy", "missing", "never", "always", "build")


def check_build(project: Project, named: Sequence[str], *, asked: bool, forbidden: bool = False) -> None:
    """Refuse `--build` where there is something to build. Raises UsageError."""
    if asked and forbidden:
        raise UsageError("`--build` and `--no-build` cannot be combined")
    building = [name for name in named or project.services if name in project.services and project.services[name].build]
    if asked and building:
        raise UsageError(
            f"cannot build {', '.join(f'`{name}`' for name in building)}: building images is not there yet",
            hint="build elsewhere and take the image in with `compose image load`, or leave `--build` away",
        )


def check_pull(policy: str) -> None:
    """Refuse values of `--pull` that are none. Raises UsageError."""
    if policy not in PULL_POLICIES:
        raise UsageError(f"`--pull {policy}` is not known", hint=f"use one of {', '.join(PULL_POLICIES)}")
