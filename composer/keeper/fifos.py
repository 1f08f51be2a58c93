"""The named FIFOs that carry a container's stdio (`fifo(7)`).

Each is held open for reading and writing by the keeper and, through it, by the engine: so a writer never meets a
closed pipe and no buffered byte is dropped while one of them lives. They have names, so that a new keeper or pump
finds them again. The directory is 0700; the container's own user owns the FIFOs, or it could not open `/dev/stdout`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path


def make(directory: Path, names: Iterable[str], uid: int) -> None:
    """Make the FIFOs that are missing. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        path = directory / name
        try:
            os.mkfifo(path, 0o600)
        except FileExistsError:
            if not stat.S_ISFIFO(path.lstat().st_mode):
                raise
        if uid != os.geteuid():
            os.chown(path, uid, -1, follow_symlinks=False)


def hold(directory: Path) -> dict[str, int]:
    """Every FIFO in `directory`, opened for reading and writing without blocking."""
    return {
        path.name: os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
        for path in sorted(directory.iterdir())
        if stat.S_ISFIFO(path.lstat().st_mode)
    }


def remove(directory: Path) -> None:
    """Remove the FIFOs and their directory; nothing there is fine."""
    for name in ("stdin", "stdout", "stderr"):
        (directory / name).unlink(missing_ok=True)
    try:
        directory.rmdir()
    except OSError:  # gone already, or somebody keeps something of his own in it
        return
