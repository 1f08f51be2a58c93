"""Images as requests need them: looked up for a project, imported, loaded, listed and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from composer.api.messages import ImageSummary
from composer.engine.configure import image_reference
from composer.engine.store import Store
from composer.errors import Diagnostic, ImageError, ProjectError, Severity
from composer.image.image import Image
from composer.image.importing import import_rootfs
from composer.image.load import load
from composer.image.store import Store as Images
from composer.image.store import missing
from composer.project.model import Project, Service
from composer.project.origins import Origins


class Pictures:
    """The image store behind the API."""

    def __init__(self, images: Images, store: Store) -> None:
        self._images = images
        self._store = store

    async def found(self, project: Project, services: Sequence[Service]) -> Mapping[str, Image]:
        """The images of these services that are there, by reference."""
        return await asyncio.to_thread(self._find, project, services)

    async def of(self, project: Project, services: Sequence[Service], origins: Origins) -> Mapping[str, Image]:
        """The images of these services, by reference.

        Raises:
            ProjectError: some are missing; one diagnostic for each.
        """
        found = await self.found(project, services)
        lacking = {image_reference(project, service): service for service in reversed(services)}
        problems = [
            _problem(service, reference, origins) for reference, service in lacking.items() if reference not in found
        ]
        if problems:
            error = ProjectError(problems[::-1])
            error.exit_code = 1  # the file is right, the image is not there
            raise error
        return found

    def _find(self, project: Project, services: Sequence[Service]) -> Mapping[str, Image]:
        references = dict.fromkeys(image_reference(project, service) for service in services)
        return {reference: image for reference in references if (image := self._images.find(reference)) is not None}

    async def listing(self) -> tuple[ImageSummary, ...]:
        """Every image, by name."""
        records = await asyncio.to_thread(self._images.list)
        return tuple(
            ImageSummary(
                record.reference.familiar() if record.reference else "", record.id, record.size, record.created
            )
            for record in records
        )

    async def bring_in(self, path: str, reference: str, changes: tuple[str, ...]) -> tuple[str, str]:
        """Import a root file system; its name and id."""
        image = await asyncio.to_thread(import_rootfs, self._images, Path(path), reference, changes)
        return image.name, image.id

    async def load(self, path: str) -> list[str]:
        """Load an archive or layout; the names of what was in it."""
        return [image.name for image in await asyncio.to_thread(load, self._images, Path(path))]

    async def remove(self, references: tuple[str, ...], force: bool) -> list[str]:
        """Remove images by name or id; what was removed. Raises ImageError for the first that cannot be."""
        removed: list[str] = []
        for reference in references:
            removed += await asyncio.to_thread(self._images.remove, reference, self._in_use(), force)
        return removed

    def _in_use(self) -> dict[str, list[str]]:
        users: dict[str, list[str]] = {}
        for record in self._store.containers:
            users.setdefault(record.config.image_id, []).append(record.name)
        return users


def _problem(service: Service, reference: str, origins: Origins) -> Diagnostic:
    if service.build is not None and service.image is None:
        return Diagnostic(
            Severity.ERROR,
            f"cannot start `{service.name}`: it is built from a Dockerfile, and composer cannot build images yet",
            origins.near(("services", service.name, "build")),
            hint=f"build it elsewhere and `compose image load` it as `{reference}`",
        )
    if service.pull_policy == "never":
        return Diagnostic(
            Severity.ERROR,
            f"cannot start `{service.name}`: its image `{reference}` is not in the image store, and its pull policy is `never`",
            origins.near(("services", service.name, "pull_policy")),
            hint=f"`compose image pull {reference}`, or `compose image load` an archive of it",
        )
    error: ImageError = missing(reference)
    return Diagnostic(Severity.ERROR, error.message, origins.near(("services", service.name, "image")), hint=error.hint)
