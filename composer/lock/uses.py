"""What a project needs from elsewhere: the images that its services run and build upon, what its Dockerfiles fetch.

All services count, those of profiles that are off too: what the lock holds must not depend on who made it. Images that
the project builds itself are not looked for in any registry, and those that are never pulled cannot be locked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from composer.errors import Diagnostic, ImageError, Location, ProjectError, Severity
from composer.image.host import is_reserved
from composer.lock.model import name_of
from composer.oci.digest import Digest
from composer.oci.reference import parse
from composer.project.model import Project, Service
from composer.project.origins import Origins


@dataclass(frozen=True, slots=True)
class Use:
    """That something is needed: by whom, and where that is written."""

    by: str
    """A service, or a Dockerfile relative to the lock."""
    service: str
    location: Location | None = None
    checksum: Digest | None = None
    """What a Dockerfile says itself of what it fetches."""
    words: frozenset[str] | None = field(default=None, compare=False)
    """Names that mean a stage or a context to whoever builds on it; None where nobody has looked."""


@dataclass(frozen=True, slots=True)
class Uses:
    """Everything that is needed, each by name with all its uses."""

    images: Mapping[str, Sequence[Use]] = field(default_factory=dict)
    """By `name_of` the reference."""
    downloads: Mapping[str, Sequence[Use]] = field(default_factory=dict)
    commits: Mapping[str, Sequence[Use]] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()


class Collector:
    """Gathers uses, and what cannot be locked."""

    def __init__(self) -> None:
        self.images: dict[str, list[Use]] = {}
        self.downloads: dict[str, list[Use]] = {}
        self.commits: dict[str, list[Use]] = {}
        self.warnings: list[Diagnostic] = []
        self.problems: list[Diagnostic] = []

    def image(self, reference: str, use: Use) -> None:
        """An image is needed; one that can have no digest is a problem."""
        if is_reserved(reference):
            message = (
                "cannot lock `host`: it is made of this machine's own programs and has no digest that others could use"
            )
            self._refuse(message, use, "use an image of a registry where everybody shall run the same")
            return
        try:
            name = name_of(parse(reference))
        except ImageError as error:
            self._refuse(error.message, use, error.hint)
            return
        self.images.setdefault(name, []).append(use)

    def warn(self, message: str, use: Use) -> None:
        """Something is left out."""
        self.warnings.append(Diagnostic(Severity.WARNING, message, use.location))

    def uses(self) -> Uses:
        """What was gathered. Raises ProjectError with every problem."""
        if self.problems:
            error = ProjectError(self.problems)
            error.exit_code = 1  # the files are right, they only cannot be locked
            raise error
        return Uses(self.images, self.downloads, self.commits, tuple(self.warnings))

    def _refuse(self, message: str, use: Use, hint: str) -> None:
        self.problems.append(Diagnostic(Severity.ERROR, message, use.location, hint=hint))


def service_images(project: Project, services: Sequence[Service], origins: Origins, into: Collector) -> None:
    """What `services` run, but for what is built here or never pulled."""
    built = built_here(project)
    for service in services:
        if service.image is None or service.build is not None or service.image in built:
            continue
        use = Use(service.name, service.name, origins.near(("services", service.name, "image")))
        if service.pull_policy == "never":
            into.warn(f"`{service.image}` is not locked: the pull policy of `{service.name}` is `never`", use)
        else:
            into.image(service.image, use)


def built_here(project: Project) -> frozenset[str]:
    """The images that the project builds, as its services call them."""
    every = {**project.services, **project.disabled}.values()
    return frozenset(each.image or f"{project.name}-{each.name}" for each in every if each.build is not None)
