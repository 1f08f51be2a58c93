"""Everything that a project needs from elsewhere: the services' own images, and what their Dockerfiles name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from composer.lock.uses import Collector, Uses, service_images
from composer.project.model import Project, Service
from composer.project.origins import Origins


def uses_of(project: Project, origins: Origins, directory: Path) -> Uses:
    """What all services need, those of profiles that are off too; `directory` is the lock's.

    Raises:
        ProjectError: something can not be locked, or a Dockerfile cannot be read; carries every problem.
    """
    services = [*project.services.values(), *project.disabled.values()]
    return _uses(project, services, origins, directory, Collector(), dockerfiles=True).uses()


def uses_of_enabled(project: Project, origins: Origins, directory: Path, *, dockerfiles: bool) -> Uses:
    """What the services that can run now need, and can be locked; Dockerfiles are read if asked."""
    collector = Collector()
    _uses(project, tuple(project.services.values()), origins, directory, collector, dockerfiles=dockerfiles)
    return Uses(collector.images, collector.downloads, collector.commits)


def _uses(
    project: Project,
    services: Sequence[Service],
    origins: Origins,
    directory: Path,
    collector: Collector,
    *,
    dockerfiles: bool,
) -> Collector:
    service_images(project, services, origins, collector)
    return collector
