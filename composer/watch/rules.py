"""One entry of `develop.watch`, and what follows when several speak at once.

Every rule that matches a path acts, as in Docker Compose: a project that syncs `.` and rebuilds for `package.json` means
both. What the rules of one service ask for in one batch is merged by `merged`: what makes the container anew makes
the lesser unnecessary, and commands wait until that is done.

    rebuild   the image is built again, the container made anew     beats all
    restart   the container restarts                                beats sync alone
    exec      a command runs in the container                       after all of these
    sync      files are brought into the container                  always
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from composer.watch.selection import Selection


class Action(StrEnum):
    """What `develop.watch[].action` may say."""

    SYNC = "sync"
    REBUILD = "rebuild"
    RESTART = "restart"
    SYNC_AND_RESTART = "sync+restart"
    SYNC_AND_EXEC = "sync+exec"

    @property
    def syncs(self) -> bool:
        """Whether it brings files into the container."""
        return self.value.startswith("sync")


@dataclass(frozen=True, slots=True)
class Exec:
    """The command of `sync+exec`."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: tuple[str, ...] = ()
    """`NAME=value`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of a service's `develop.watch`."""

    service: str
    action: Action
    selection: Selection
    target: str = ""
    """Where files go, absolute inside the container; "" for actions that bring none."""
    exec: Exec | None = None
    place: str = ""
    """Where it was written, for messages."""
    covered: tuple[str, ...] = ()
    """Places below `target` where the container sees this machine's own files, which are not written to."""

    @property
    def root(self) -> str:
        """The path that is watched, absolute."""
        return self.selection.root

    def reaches(self, target: str) -> bool:
        """Whether it brings files to `target` of the container, or could."""
        return bool(self.target) and _is_at(target, self.target) and not any(_is_at(target, p) for p in self.covered)

    def shown(self, relative: str) -> str:
        """The path `relative` to the root as messages name it."""
        name = self.root.rpartition("/")[2]
        return f"{name}/{relative}" if relative else name

    def inside(self, relative: str) -> str:
        """Where the path `relative` to the root belongs in the container."""
        return f"{self.target}/{relative}" if relative else self.target


@dataclass(frozen=True, slots=True)
class Triggers:
    """What is to happen to one service."""

    rebuild: bool = False
    restart: bool = False
    execs: tuple[Exec, ...] = ()


def _is_at(path: str, place: str) -> bool:
    """Whether `path` is `place` or below it."""
    return path == place or path.startswith(f"{place}/")


def merged(rules: Iterable[Rule]) -> Triggers:
    """What follows from `rules` of one service having something to tell; see the module docstring."""
    rules = tuple(rules)
    actions = {rule.action for rule in rules}
    if Action.REBUILD in actions:
        return Triggers(rebuild=True)
    if actions & {Action.RESTART, Action.SYNC_AND_RESTART}:
        return Triggers(restart=True)
    return Triggers(execs=tuple(dict.fromkeys(rule.exec for rule in rules if rule.exec is not None)))
