"""Everything that a project needs from elsewhere: the services' own images, and what their Dockerfiles name."""

from __future__ import annotations

from pathlib import Path

from composer.lock.uses import Collector, Uses, service_images
from composer.project.model import Project
from composer.project.origins import Origins


def uses_of(project: Project, origins: Origins, directory: Path) -> Uses:
    """What all services need, those of profiles that are off too; `directory` is the lock's.

    Raises:
        ProjectError: something cannot be locked, or a Dockerfile cannot be read; carries every problem.
    """
    return _gather(project, origins, directory, disabled=True).uses()


def uses_to_run(project: Project, origins: Origins, directory: Path, *, dockerfiles: bool) -> Uses:
    """What the services need that can run now; with `dockerfiles` also to build them.

    Raises:
        ProjectError: only with `dockerfiles`, as `uses_of` does.
    """
    if dockerfiles:
        return _gather(project, origins, directory, disabled=False).uses()
    collector = Collector()
    service_images(project, tuple(project.services.values()), origins, collector)
    return Uses(collector.images)


def _gather(project: Project, origins: Origins, directory: Path, *, disabled: bool) -> Collector:
    from composer.lock.dockerfiles import dockerfile_uses  # who only runs images need not know how to read these

    services = [*project.services.values(), *(project.disabled.values() if disabled else ())]
    collector = Collector()
    service_images(project, services, origins, collector)
    for service in services:
        dockerfile_uses(project, service, origins, directory, collector)
    return collector
