"""Where a command runs, by the name that the shell has for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def working_directory(environment: Mapping[str, str]) -> Path:
    """The working directory, by the links that led there where `PWD` tells them, as Docker Compose does.

    A project gets its name from it: one that is entered by a link `current` stays one project when the link is moved.
    Raises FileNotFoundError where it was deleted.
    """
    here, named = Path.cwd(), environment.get("PWD", "")
    # A PWD with `..` in it would lead elsewhere once that is taken away with the link before it.
    if os.path.isabs(named) and os.path.normpath(named) == named:  # noqa: PTH117
        try:
            return Path(named) if Path(named).samefile(here) else here
        except OSError:
            return here
    return here
