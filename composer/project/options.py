"""What the command line says about which project is meant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def _read_stdin() -> bytes:
    from composer.project.reading import MAX_BYTES

    return sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin else b""  # `<&-` leaves none


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The global options; what is left out is taken from the environment, then from the usual places."""

    files: tuple[str, ...] = ()
    """`-f`, in merge order; `-` is standard input."""
    project_name: str | None = None
    project_directory: str | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    directory: Path = field(default_factory=Path.cwd)
    """Where the command runs: relative names start here, and the search for a file too."""
    read_stdin: Callable[[], bytes] = _read_stdin
    interpolate: bool = True
    """False leaves variables as they are."""
    resolve_paths: bool = True
    """False leaves relative paths as they are."""
    check: bool = True
    """False leaves out what must be true of the project as a whole."""
