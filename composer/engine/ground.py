"""The lowest layer of every container: the places that each start mounts at, shown wherever an image has nothing there.

Without it a start would make them in the container's own layer: on a disk, each by way of overlay's work directory, and all to
be deleted again. Everything here is empty and root's.
"""

from __future__ import annotations

from pathlib import Path

from composer.engine.etc_files import NAMES

_DIRECTORIES = ("dev", "etc", "proc", "sys")


def lay(ground: Path) -> Path:
    """`ground`, after making what is missing of it. Raises OSError."""
    files = [ground / "etc" / name for name in NAMES]
    if not files[-1].exists():
        for name in _DIRECTORIES:
            (ground / name).mkdir(parents=True, exist_ok=True)
        for file in files:
            file.touch()
    return ground
