"""The lowest layer of every container: the places that each start mounts at, shown wherever an image has nothing there.

Without it a start would make them in the container's own layer: on a disk, each by way of overlay's work directory, and all to
be deleted again. Everything here is empty and root's.
"""

from __future__ import annotations

from pathlib import Path

from composer.engine.etc_files import NAMES

_DIRECTORIES = ("dev", "etc", "proc", "sys")


def lay(ground: Path) -> tuple[str, ...]:
    """`ground` as the end of a list of layers, after making what is missing of it; nothing where that cannot be made.

    On a full disk a container that has been started before can be started again: it has these places itself.
    """
    files = [ground / "etc" / name for name in NAMES]
    try:
        if not files[-1].exists():
            for name in _DIRECTORIES:
                (ground / name).mkdir(parents=True, exist_ok=True)
            for file in files:
                file.touch()
    except OSError:
        return ()
    return (str(ground),)
