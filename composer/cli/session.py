"""What a command works with: the global options, the project, the engine's client, and the way to show progress.

Everything is made when it is first asked for: `compose version` needs none of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from composer.cli.directory import working_directory
from composer.cli.render.terminal import Screen
from composer.errors import ProjectError, UsageError

if TYPE_CHECKING:
    from composer.api.client import Client
    from composer.cli.render.events import Progress
    from composer.project.loader import Loaded
    from composer.project.model import Project


PROGRESS = ("auto", "tty", "plain", "json", "quiet")
"""The ways to show progress."""


@dataclass(frozen=True, slots=True)
class Globals:
    """The options that stand before the command; empty means not given."""

    files: tuple[str, ...] = ()
    project_name: str = ""
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    project_directory: str = ""
    progress: str = ""
    ansi: str = ""
    locked: bool = False


@dataclass
class Session:
    """One invocation of the command line."""

    options: Globals
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @cached_property
    def out(self) -> Screen:
        """Where answers go."""
        return Screen.of(sys.stdout, self.environment, self._ansi)

    @cached_property
    def err(self) -> Screen:
        """Where progress, warnings and errors go."""
        return Screen.of(sys.stderr, self.environment, self._ansi)

    @property
    def _ansi(self) -> str:
        ansi = self.options.ansi or self.environment.get("COMPOSE_ANSI") or "auto"
        if ansi not in ("never", "always", "auto"):
            raise UsageError(f"`{ansi}` is not a way to use colours", hint="use one of never, always, auto")
        return ansi

    @cached_property
    def progress(self) -> Progress:
        """The way to show progress that `--progress` or `COMPOSE_PROGRESS` names."""
        from composer.cli.render.events import choose_progress

        return choose_progress(self.options.progress or self.environment.get("COMPOSE_PROGRESS", ""), self.err)

    @property
    def working_directory(self) -> Path:
        """Where the command runs."""
        return working_directory(self.environment)

    @property
    def quiet(self) -> Progress:
        """A way to show nothing but warnings."""
        from composer.cli.render.events import QuietProgress

        return QuietProgress(self.err)

    @cached_property
    def client(self) -> Client:
        """The engine's client; the engine itself is started by the first call."""
        from composer.api.client import Client
        from composer.paths import Paths

        paths = Paths.from_environment(self.environment, os.getuid())
        return Client(paths, self.environment, lambda message: self.progress.notice(message))

    @cached_property
    def loaded(self) -> Loaded:
        """The project with its origins; its warnings are shown once, now. Raises ProjectError."""
        from composer.cli.render.errors import show_diagnostics

        loaded = self.load()
        if loaded.obstacles:
            raise ProjectError(loaded.obstacles)
        show_diagnostics(self.err, loaded.warnings)
        return loaded

    def load(self, *, interpolate: bool = True, resolve_paths: bool = True, check: bool = True) -> Loaded:
        """The project without a word about it; see `LoadOptions`. Raises ProjectError."""
        from composer.project import LoadOptions, load

        options = LoadOptions(
            files=self.options.files,
            project_name=self.options.project_name or None,
            profiles=self.options.profiles,
            env_files=self.options.env_files,
            project_directory=self.options.project_directory or None,
            directory=self.working_directory,
            interpolate=interpolate,
            resolve_paths=resolve_paths,
            check=check,
        )
        return load(options, self.environment)

    @property
    def project(self) -> Project:
        """The project of the Compose file."""
        return self.loaded.project

    @property
    def wire_project(self) -> dict[str, Any]:
        """The project as requests carry it."""
        return self.project.model_dump(mode="json")

    @property
    def surroundings(self) -> dict[str, str]:
        """What of the environment requests about registries carry."""
        from composer.registry.surroundings import surroundings

        return surroundings(self.environment)

    @cached_property
    def recorded(self) -> bool:
        """Whether to work from what the engine has recorded under `-p NAME`, there being no Compose file."""
        return bool(self._named) and not self._file_at_hand()

    @property
    def name(self) -> str:
        """The project's name, with or without a Compose file."""
        return self._named if self.recorded else self.project.name

    @property
    def _named(self) -> str:
        return self.options.project_name or self.environment.get("COMPOSE_PROJECT_NAME", "")

    def mention_neighbour(self, project: str = "") -> None:
        """Tell of another user's engine, where what was looked for may be; with `project` only if it has that one."""
        from composer.api.neighbour import find_neighbour

        neighbour = find_neighbour(self.environment, os.getuid())
        if neighbour is not None and (not project or project in neighbour.projects):
            self.progress.notice(neighbour.sentence())

    def says_yes(self, variable: str) -> bool:
        """Whether a variable of the environment is switched on."""
        return self.environment.get(variable, "").lower() in ("1", "true", "yes", "on")

    def _file_at_hand(self) -> bool:
        from composer.project.discover import NAMES

        if self.options.files or self.environment.get("COMPOSE_FILE"):
            return True
        here = self.working_directory / self.options.project_directory
        return any((place / name).is_file() for place in (here, *here.parents) for name in NAMES)

    def check_services(self, names: Sequence[str] | None, *, enabled: bool = False) -> tuple[str, ...]:
        """The services named on the command line. Raises UsageError, with a suggestion, for one that does not exist."""
        if self.recorded:
            known: Iterable[str] = {c.service for c in self.client.containers(self.name, all_containers=True)}
        else:
            known = self.project.services if enabled else {**self.project.services, **self.project.disabled}
        for name in names or ():
            if name not in known:
                raise no_such_service(name, known)
        return tuple(dict.fromkeys(names or ()))


def no_such_service(name: str, known: Iterable[str]) -> UsageError:
    """The error for a service that the project has not, suggesting the nearest one."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"the services are {', '.join(names)}" if names else ""
    return UsageError(f"no such service: `{name}`", hint=hint)
