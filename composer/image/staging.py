"""Directories in which something is made before it is shown, and that a crash cannot leave behind for good.

A staging directory belongs to whoever holds its lock (`flock(2)`). A process that dies loses the lock, and the next one
to stage something beside it sweeps the directory away.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from composer.image.removal import delete_tree, empty_trash

_PREFIX = ".staging-"


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """A new private directory below `parent` (made if missing), deleted at the end with whatever is still in it."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(parent)
    path, lock = _claim(parent)
    try:
        yield path
    finally:
        delete_tree(path)
        os.close(lock)


def sweep(parent: Path) -> None:
    """Delete what dead processes were staging or removing below `parent`; a missing `parent` is fine."""
    for path in parent.glob(_PREFIX + "*"):
        lock = _lock(path)
        if lock is not None:
            delete_tree(path)
            os.close(lock)
    empty_trash(parent)


def _claim(parent: Path) -> tuple[Path, int]:
    while True:
        path = Path(mkdtemp(prefix=_PREFIX, dir=parent))
        lock = _lock(path)
        # Between the two calls somebody may have taken it for a leftover and swept it away.
        if lock is not None:
            if path.exists():
                return path, lock
            os.close(lock)


def _lock(path: Path) -> int | None:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
