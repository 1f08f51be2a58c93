"""Where a project's lock is. Imports next to nothing: every `up` asks, and most projects have none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from composer.project.model import Project

NAME = "compose.lock"


def lock_path(project: Project) -> Path:
    """The lock of `project`: beside its first Compose file."""
    first = next((file for file in project.compose_files if file != "-"), "")
    return (Path(first).parent if first else Path(project.working_dir)) / NAME
