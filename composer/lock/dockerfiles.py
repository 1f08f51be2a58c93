"""What the Dockerfiles of a project begin with and fetch, as far as the files themselves tell.

A Dockerfile of a remote context lies where nobody has been yet: its context is locked here, what it names in turn when the
lock is made and the repository or archive is there to be read (`making`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from composer.build.dockerfile.instructions import Dockerfile
from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.references import ReferenceKind, references, remote_sources
from composer.build.dockerfile.source import MAX_SIZE
from composer.build.dockerfile.sources import is_remote
from composer.build.dockerfile.stages import Stages, context_name, link
from composer.errors import BuildError, ComposerError, Diagnostic, ImageError, Severity
from composer.lock.uses import Collector, Use, Uses, built_here
from composer.oci.digest import Digest
from composer.oci.platform import parse_platform, this_platform
from composer.project.model import Build, Project, Service
from composer.project.origins import Origins

if TYPE_CHECKING:
    from composer.build.files.remote import RemoteContext

_IMAGE = "docker-image://"
_SERVICE = "service:"


@dataclass(frozen=True, slots=True)
class _Recipe:
    """The Dockerfile of one service."""

    service: str
    build: Build
    dockerfile: Dockerfile
    by: str
    inline: Use | None
    """The place of a Dockerfile that stands in the Compose file; None for one with lines of its own."""

    def use(self, line: int, checksum: Digest | None = None) -> Use:
        place = self.inline.location if self.inline else self.dockerfile.source.location(line)
        return Use(self.by, self.service, place, checksum)

    @property
    def words(self) -> frozenset[str]:
        """What is no image's name here, but a stage's or a context's."""
        stages = {stage.name for stage in self.dockerfile.stages if stage.name}
        return frozenset(stages | set(map(context_name, self.build.additional_contexts)))


def dockerfile_uses(project: Project, service: Service, origins: Origins, directory: Path, into: Collector) -> None:
    """Gather what the build of `service` needs; `directory` is the lock's. Problems are gathered too."""
    build = service.build
    if build is None:
        return
    here = Use(service.name, service.name, origins.near(("services", service.name, "build")))
    _contexts(build, here, into)
    if build.dockerfile_inline is None and is_remote(build.context):
        _remote(build.context, here, into)
        return
    _recipe_uses(project, service, lambda: _read(service.name, build, here, directory), here, into)


def remote_builds(project: Project) -> dict[str, list[str]]:
    """The services whose Dockerfile lies in a remote context, by its URL."""
    found: dict[str, list[str]] = {}
    for service in {**project.services, **project.disabled}.values():
        build = service.build
        if build is not None and build.dockerfile_inline is None and is_remote(build.context):
            found.setdefault(build.context, []).append(service.name)
    return found


def remote_uses(project: Project, service: Service, origins: Origins, by: str, context: RemoteContext) -> Uses:
    """What the Dockerfile of `service` needs, whose context has come.

    Raises:
        ProjectError: it cannot be read, or something in it not be locked.
    """
    build = service.build
    assert build is not None
    into = Collector()
    here = Use(by, service.name, origins.near(("services", service.name, "build")))

    def read() -> _Recipe:
        text = context.dockerfile or _text_within(service.name, context.directory, build.dockerfile or "Dockerfile")
        return _Recipe(service.name, build, parse(text, by), by, here)

    _recipe_uses(project, service, read, here, into)
    return into.uses()


def _recipe_uses(project: Project, service: Service, read: Callable[[], _Recipe], here: Use, into: Collector) -> None:
    try:
        recipe = read()
        for stages in _linked(recipe, service):
            _gather(recipe, stages, built_here(project), into)
    except BuildError as error:
        into.problems += error.diagnostics
    except ComposerError as error:
        into.problems.append(Diagnostic(Severity.ERROR, error.message, here.location, hint=error.hint))


def _contexts(build: Build, use: Use, into: Collector) -> None:
    for value in build.additional_contexts.values():
        if value.startswith(_IMAGE):
            into.image(value.removeprefix(_IMAGE), use)
        elif not value.startswith(_SERVICE) and is_remote(value):
            _remote(value, use, into)


def _remote(url: str, use: Use, into: Collector) -> None:
    from composer.build.files.failures import FilesError  # that room's imports are many, and remote contexts rare
    from composer.build.files.git_reference import parse_git

    try:
        repository = parse_git(url, context=True)
    except FilesError as error:
        into.problems.append(Diagnostic(Severity.ERROR, f"cannot lock {error.message}", use.location, hint=error.hint))
        return
    (into.downloads if repository is None else into.commits).setdefault(url, []).append(use)


def _read(service: str, build: Build, here: Use, directory: Path) -> _Recipe:
    if build.dockerfile_inline is not None:
        return _Recipe(service, build, parse(build.dockerfile_inline, "dockerfile_inline"), f"{service} (inline)", here)
    path = Path(build.context, build.dockerfile or "Dockerfile")
    text = _text(service, path)
    return _Recipe(service, build, parse(text, str(path)), Path(os.path.relpath(path, directory)).as_posix(), None)


def _text_within(service: str, tree: Path, name: str) -> bytes:
    path = tree / name
    if not path.resolve().is_relative_to(tree.resolve()):
        raise ImageError(f"cannot lock what `{service}` is built from: its Dockerfile leads out of the context")
    return _text(service, path)


def _text(service: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SIZE + 1)  # one byte more than it may be: the parser says so
    except OSError as error:
        why = (error.strerror or "error").lower()
        raise ImageError(
            f"cannot lock what `{service}` is built from: `{path}`: {why}",
            hint="see `build.context` and `build.dockerfile`",
        ) from error


def _linked(recipe: _Recipe, service: Service) -> Iterator[Stages]:
    """The stages for each platform that is built for: a base may be named by it."""
    names = recipe.build.platforms or ((service.platform,) if service.platform else ())
    for platform in [parse_platform(name) for name in names] or [this_platform()]:
        yield link(
            recipe.dockerfile,
            args=recipe.build.args,
            build=this_platform(),
            platform=platform,
            target=recipe.build.target or "",
            contexts=tuple(recipe.build.additional_contexts),
        )


def _gather(recipe: _Recipe, stages: Stages, built: frozenset[str], into: Collector) -> None:
    target = recipe.build.target or ""
    for base in references(stages, target):
        if base.reference not in built:
            use = recipe.use(base.span.first)
            into.image(base.reference, replace(use, words=recipe.words) if base.kind is ReferenceKind.FROM else use)
    for source in remote_sources(stages, recipe.build.args, target):
        if source.is_git:
            into.commits.setdefault(source.url, []).append(recipe.use(source.span.first))
        else:
            checksum = said_checksum(source.checksum)
            into.downloads.setdefault(source.url, []).append(recipe.use(source.span.first, checksum))


def said_checksum(text: str) -> Digest | None:
    """What an ADD says itself of what it fetches; None for nothing, and for what is no checksum of ours."""
    try:
        return Digest.parse(text)
    except ImageError:
        return None
