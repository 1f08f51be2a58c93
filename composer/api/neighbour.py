"""The other engine on this machine: `sudo compose` and `compose` are two, and neither sees the other's projects.

Only told where it would surprise: what is looked for here may be there. Whatever goes wrong while looking means that there
is nothing to tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from composer.api.codec import decode
from composer.api.connection import EngineLost, send
from composer.api.messages import ProjectSummary
from composer.paths import Paths

_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another user's engine; `projects` is empty where we may not ask it."""

    user: str
    projects: tuple[str, ...] = ()

    def sentence(self) -> str:
        """What to tell the user."""
        has = f" with {', '.join(f'`{name}`' for name in self.projects)}" if self.projects else ""
        way = "without sudo" if self.user != "root" else "with sudo"
        return f"there is another engine{has}, of user {self.user}; use it {way}"


def find_neighbour(environment: Mapping[str, str], uid: int) -> Neighbour | None:
    """For root: the engine of whoever called sudo. For others: root's. None with directories of one's own choice."""
    if environment.get("COMPOSER_RUN"):
        return None
    if uid:
        return Neighbour("root") if Paths.from_environment({}, 0).run.is_dir() else None
    owner = environment.get("SUDO_UID", "")
    if not owner.isdecimal() or owner == "0":
        return None
    for variables in ({"XDG_RUNTIME_DIR": f"/run/user/{owner}"}, {}):
        projects = _projects(Paths.from_environment(variables, int(owner)), int(owner))
        if projects is not None:
            return Neighbour(environment.get("SUDO_USER", owner), projects)
    return None


def _projects(paths: Paths, owner: int) -> tuple[str, ...] | None:
    """The names of the projects there; None when nobody answers, or somebody who is not `owner`."""
    with suppress(OSError, ValueError, EngineLost):
        if _owner(paths.run) != owner:
            return None
        data = json.loads(send(paths.engine_socket, "GET", "/projects?all=1", timeout=_PATIENCE).read())
        return tuple(decode(ProjectSummary, each).name for each in data)
    return None


def _owner(directory: Path) -> int:
    return directory.lstat().st_uid
