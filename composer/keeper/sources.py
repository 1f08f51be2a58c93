"""The files that this process is made of: whether they still are what was imported, or an upgrade or an edit lies between."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

Sources = Mapping[str, tuple[int, int]]


def sources() -> Sources:
    """Time of change and size of every file of composer that is imported, by path. Raises OSError for one that is gone."""
    files = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "composer"]
    return {file: stamp(file) for file in files if file}


def stamp(file: str) -> tuple[int, int]:
    """What changes with the content of a file. Raises OSError."""
    found = os.stat(file)  # noqa: PTH116  asked of some hundred files for each command
    return found.st_mtime_ns, found.st_size


def is_current(known: Sources) -> bool:
    """Whether the files still are what was imported: an upgrade or an edit makes us a thing of the past."""
    try:
        return all(stamp(file) == before for file, before in known.items())
    except OSError:
        return False
