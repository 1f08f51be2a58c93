"""Images as requests need them: looked up for a project, imported, loaded, listed and removed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from composer.api.messages import ImageDetails, ImagePlatform, ImageSummary, PruneRequest, PruneResult
from composer.engine.configure import image_reference
from composer.engine.store import Store
from composer.errors import Diagnostic, ImageError, ProjectError, Severity
from composer.image.audit import Damage, verify
from composer.image.catalogue import missing
from composer.image.host import is_reserved
from composer.image.image import Image, ImageRecord
from composer.image.importing import import_rootfs
from composer.image.load import load
from composer.image.prune import Criteria, choose
from composer.image.remove import drop_blobs, prune, remove
from composer.image.save import save
from composer.image.store import Store as Images
from composer.lock.pins import Pin, Pins
from composer.oci.platform import parse_platform
from composer.project.model import Project, Service
from composer.project.origins import Origins

_NONE = Pins()


class Pictures:
    """The image store behind the API."""

    def __init__(self, images: Images, store: Store) -> None:
        self._images = images
        self._store = store

    async def found(self, project: Project, services: Sequence[Service], pins: Pins = _NONE) -> Mapping[str, Image]:
        """The images of these services that are there, by reference; of one that `pins` lock only that content counts."""
        return await asyncio.to_thread(self._find, project, services, pins)

    async def of(
        self, project: Project, services: Sequence[Service], origins: Origins, pins: Pins = _NONE
    ) -> Mapping[str, Image]:
        """The images of these services, by reference.

        Raises:
            ProjectError: some are missing; one diagnostic for each.
        """
        found = await self.found(project, services, pins)
        lacking = {image_reference(project, service): service for service in reversed(services)}
        problems = [
            _problem(service, reference, origins, pins.image(reference))
            for reference, service in lacking.items()
            if reference not in found
        ]
        if problems:
            error = ProjectError(problems[::-1])
            error.exit_code = 1  # the file is right, the image is not there
            raise error
        return found

    def _find(self, project: Project, services: Sequence[Service], pins: Pins) -> Mapping[str, Image]:
        platforms = {image_reference(project, service): service.platform or "" for service in reversed(services)}
        return self._named([image_reference(project, service) for service in services], pins, platforms)

    async def named(self, references: Sequence[str], pins: Pins) -> Mapping[str, Image]:
        """Those of `references` that are there."""
        return await asyncio.to_thread(self._named, references, pins)

    def _named(
        self, references: Sequence[str], pins: Pins, platforms: Mapping[str, str] = MappingProxyType({})
    ) -> Mapping[str, Image]:
        found = (
            (reference, self.find_one(reference, pins, platforms.get(reference, "")))
            for reference in dict.fromkeys(references)
        )
        return {reference: image for reference, image in found if image is not None}

    def find_one(self, reference: str, pins: Pins, platform: str = "") -> Image | None:
        """The image that a reference means: where `pins` lock it that content, under whichever name. Blocks.

        Of an index it is the one for `platform`, or for this machine.
        """
        pin = pins.image(reference)
        wanted = parse_platform(platform) if platform else None
        for spelling in pins.spellings(reference):
            image = self._images.find(spelling, wanted)
            if image is not None and (pin is None or pin.allows(image.manifest)):
                return image
        return None

    async def listing(self) -> tuple[ImageSummary, ...]:
        """Every image, by name; one that was pulled by its digest and still has its tag is told once."""
        every = await asyncio.to_thread(self._images.list)
        names = {(record.reference, record.id) for record in every}
        records = [
            record
            for record in every
            if record.reference is None
            or record.reference.digest is None
            or (replace(record.reference, digest=None), record.id) not in names
        ]
        return tuple(
            ImageSummary(
                record.reference.familiar() if record.reference else "",
                record.id,
                record.size,
                record.created,
                record.damage,
                _platforms(record),
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
            removed += await asyncio.to_thread(remove, self._images, reference, self.in_use, force)
        return removed

    async def tag(self, source: str, target: str) -> None:
        """Give an image one more name."""
        await asyncio.to_thread(self._images.tag, source, target)

    async def save(self, references: tuple[str, ...], path: str) -> None:
        """Write images to an archive at `path`."""
        await asyncio.to_thread(save, self._images, references, Path(path))

    async def verify(self, references: tuple[str, ...], repair: bool) -> tuple[Damage, ...]:
        """What is damaged of these images, or of all."""
        return await asyncio.to_thread(verify, self._images, references, repair=repair, users=self.in_use)

    async def details(self, references: tuple[str, ...]) -> tuple[ImageDetails, ...]:
        """All that is known of these images. Raises ImageError for the first that is not there."""
        return await asyncio.to_thread(lambda: tuple(details(self._images, each) for each in references))

    async def prune(self, request: PruneRequest) -> PruneResult:
        """Delete what no container was made from, as far as `request` says; or only say what would go."""
        return await asyncio.to_thread(self._prune, request)

    def _prune(self, request: PruneRequest) -> PruneResult:
        criteria = Criteria(request.all, request.created_before, request.labels, request.keep_storage)
        if request.dry_run:
            gone = choose(self._images.list(), self.in_use(), criteria)
            return PruneResult(tuple(dict.fromkeys(_name(record) for record in gone)))
        freed = drop_blobs(self._images) if request.blobs else 0
        pruned = prune(self._images, self.in_use, criteria)
        return PruneResult(pruned.names, freed + pruned.freed)

    def in_use(self) -> dict[str, list[str]]:
        """Image id -> names of the containers made from it."""
        return images_in_use(self._store)

    async def users(self, references: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Those of `references` that are images here and can be removed, with the containers made from them."""
        in_use = self.in_use()
        removable = [reference for reference in references if not is_reserved(reference)]
        found = await self.named(removable, _NONE)
        return {reference: tuple(in_use.get(image.id, ())) for reference, image in found.items()}


def images_in_use(store: Store) -> dict[str, list[str]]:
    """Image id -> names of the containers made from it."""
    users: dict[str, list[str]] = {}
    for record in store.containers:
        users.setdefault(record.config.image_id, []).append(record.name)
    return users


def details(images: Images, reference: str) -> ImageDetails:
    """All that is known of one image. Raises ImageError."""
    image = images.find(reference)
    if image is None:
        raise images.missing(reference)
    records = [record for record in images.list() if record.id == image.id]
    names = tuple(record.reference for record in records if record.reference)
    layers = tuple(records[0].layers.values()) if records else ()
    digest = image.origin.digest if image.origin else image.manifest
    return ImageDetails(
        id=image.id,
        references=tuple(name.familiar() for name in names),
        digests=tuple(dict.fromkeys(f"{name.name}@{digest}" for name in names)) if image.origin else (),
        manifest=str(image.manifest or ""),
        size=sum(layers),
        layers=layers,
        config=json.loads(image.config.to_bytes()),
        platforms=next((_platforms(record) for record in records if record.platforms), ()),
    )


def _platforms(record: ImageRecord) -> tuple[ImagePlatform, ...]:
    return tuple(ImagePlatform(str(each.platform), each.id, each.manifest, each.size) for each in record.platforms)


def _name(record: ImageRecord) -> str:
    return record.reference.familiar() if record.reference else record.id


def _problem(service: Service, reference: str, origins: Origins, pin: Pin | None) -> Diagnostic:
    if service.build is not None:
        return Diagnostic(
            Severity.ERROR,
            f"cannot start `{service.name}`: its image `{reference}` is not built",
            origins.near(("services", service.name, "build")),
            hint=f"`compose build {service.name}`, or leave `--no-build` away",
        )
    if service.pull_policy == "never":
        return Diagnostic(
            Severity.ERROR,
            f"cannot start `{service.name}`: its image `{reference}` is not in the image store, and its pull policy is `never`",
            origins.near(("services", service.name, "pull_policy")),
            hint=f"`compose image pull {reference}`, or `compose image load` an archive of it",
        )
    if pin is not None:
        return Diagnostic(
            Severity.ERROR,
            f"cannot start `{service.name}`: {pin.place} locks `{reference}` to {pin.digest}, "
            "and the image store has no such image of a manifest that the lock knows",
            origins.near(("services", service.name, "image")),
            hint="`compose pull` gets it; if that is no help, the lock is wrong: `compose lock --update` makes it anew",
        )
    error: ImageError = missing(reference)
    return Diagnostic(Severity.ERROR, error.message, origins.near(("services", service.name, "image")), hint=error.hint)
