"""What `--build` and `--pull` may say, checked before anything is begun."""

from __future__ import annotations

from composer.errors import UsageError

PULL_POLICIES = ("policy", "missing", "never", "always", "build")


def build_mode(*, asked: bool, forbidden: bool = False) -> str:
    """When images are built, as `UpOptions.build` says it. Raises UsageError for options that contradict each other."""
    if asked and forbidden:
        raise UsageError("`--build` and `--no-build` cannot be combined")
    return "always" if asked else "never" if forbidden else "auto"


def check_pull(policy: str) -> None:
    """Refuse values of `--pull` that are none. Raises UsageError."""
    if policy not in PULL_POLICIES:
        raise UsageError(f"`--pull {policy}` is not known", hint=f"use one of {', '.join(PULL_POLICIES)}")
