"""A lock as git has it in some revision."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from composer.errors import UsageError
from composer.lock.model import Lock
from composer.lock.reading import parse_lock

_SECONDS = 30.0


def lock_at(path: Path, revision: str) -> Lock:
    """The lock that was at `path` in `revision`; an empty one where that had none.

    Raises:
        UsageError: there is no git, no repository, or no such revision.
        ProjectError: what was there is no lock.
    """
    if shutil.which("git") is None:
        raise UsageError(
            "cannot compare with an older lock: git is not installed", hint="`apt install git`, for instance"
        )
    if revision.startswith("-"):
        raise UsageError(f"`{revision}` is not a revision")
    commit = _git(path.parent, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if commit.returncode:
        inside = _git(path.parent, "rev-parse", "--is-inside-work-tree")
        if inside.returncode:
            raise UsageError(
                f"cannot compare with an older lock: `{path.parent}` is in no git repository",
                hint="`git init`, and commit the lock",
            )
        raise UsageError(f"cannot compare with `{revision}`: git knows no such revision")
    name = f"{commit.stdout.decode().strip()}:./{path.name}"
    if _git(path.parent, "cat-file", "-e", name).returncode:
        return Lock()
    return parse_lock(_git(path.parent, "cat-file", "blob", name).stdout, f"{revision}:{path.name}")


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"cannot compare with an older lock: git does not work ({error})") from error
