"""What a session watches by: a project as it was read, the rules that follow from it, and every file that says so.

The project is read here, not by a client: with the options and the variables that its request carried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from composer.api.messages import UpOptions, UpRequest, WatchRequest
from composer.engine.watching.rules import Rules, defining_files, ignoring_files, rules_of
from composer.lock.file import lock_path
from composer.lock.pins import pins_beside
from composer.project import LoadOptions, load
from composer.project.model import Project
from composer.project.origins import Origins
from composer.project.reading import recorded


@dataclass(frozen=True, slots=True)
class Definition:
    """A project and its rules."""

    project: Project
    origins: Origins
    lock: dict[str, Any]
    """What its lock pins."""
    rules: Rules
    files: tuple[str, ...]
    """What all of it was read from, absolute, whether it exists or not."""

    def request(self, options: UpOptions, surroundings: dict[str, str]) -> UpRequest:
        """The `up` of it."""
        project, origins = self.project.model_dump(mode="json"), self.origins.to_wire()
        return UpRequest(project, origins, options, surroundings, self.lock)

    def is_as(self, other: Definition) -> bool:
        """Whether the same was read from the same files; what a `.gitignore` says is left to its readers."""
        mine = (self.project, self.lock, self.rules.rules, self.rules.reloads, self.files)
        return mine == (other.project, other.lock, other.rules.rules, other.rules.reloads, other.files)


def read(name: str, request: WatchRequest) -> Definition:
    """Read the project of a request; in a thread.

    Raises:
        ProjectError: it cannot be read.
        UsageError: a rule cannot be, or there is none.
    """
    asked = request.load
    options = LoadOptions(
        files=asked.files,
        project_name=name,
        project_directory=asked.project_directory or None,
        profiles=asked.profiles,
        env_files=asked.env_files,
        directory=Path(asked.directory),
    )
    with recorded() as files:
        loaded = load(options, asked.variables)
    strict = bool(request.up.lock.get("strict"))
    pins = replace(pins_beside(loaded.project), strict=strict)
    return _definition(request, loaded.project, loaded.origins, pins.to_wire(), (*files, lock_path(loaded.project)))


def as_sent(request: WatchRequest) -> Definition:
    """The project as the client has read it: for when it cannot be read any more. Raises UsageError as `read` does."""
    up = request.up
    return _definition(request, Project.model_validate(up.project), Origins.from_wire(up.origins), up.lock, ())


def _definition(
    request: WatchRequest, project: Project, origins: Origins, lock: dict[str, Any], files: tuple[Path, ...]
) -> Definition:
    rules = rules_of(project, request.up.options.services, origins)
    written = (Path(path) for path in project.compose_files if path != "-")
    names = [name for path in (*files, *written) for name in (str(path.resolve()), *_links(path))]
    watched = (
        trigger.path for service in project.services.values() if service.develop for trigger in service.develop.watch
    )
    names += [name for path in watched for name in _links(Path(path))]
    names += [*defining_files(project), *ignoring_files(rules.rules)]
    return Definition(project, origins, lock, rules, tuple(dict.fromkeys(names)))


def _links(path: Path) -> tuple[str, ...]:
    """The link that `path` is, where it is one: what it leads to may become another file."""
    return (str(path.parent.resolve() / path.name),) if path.is_symlink() else ()
