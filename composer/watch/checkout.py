"""Whether git is at work on the files: a branch switch is one change, however long it takes.

git holds `index.lock` from before it touches the first file until after the last (`git-update-index(1)`). Batches of many files
wait for that; a lock that a killed git left behind holds nobody up for long.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from composer.ignore.git import work_tree


def locks_of(roots: Iterable[str]) -> tuple[str, ...]:
    """Where git's locks would be, for the work trees that hold these paths."""
    return tuple(dict.fromkeys(f"{_git_directory(top)}/index.lock" for root in roots if (top := work_tree(root))))


def _git_directory(top: str) -> str:
    """The `.git` of a work tree; of a linked one or a submodule, what its file leads to: gitrepository-layout(5)."""
    place = Path(top, ".git")
    try:
        text = place.read_text("utf-8", "surrogateescape")
    except OSError:
        return str(place)
    return str(place.parent / text.removeprefix("gitdir: ").strip())
