"""Which software is in images and containers: read from their files, and compared with what a lock says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from composer.api.messages import ContainerSoftware, ImageSoftware, ToolchainRequest
from composer.engine.pictures import Pictures
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.image.image import Image
from composer.lock.packages.collect import packages_in
from composer.lock.pins import Pins
from composer.oci.descriptor import Platform


class Software:
    """Answers about installed software; everything that reads is done in threads."""

    def __init__(self, rooms: Rooms, pictures: Pictures) -> None:
        self._rooms = rooms
        self._pictures = pictures

    async def of_images(self, references: Sequence[str]) -> tuple[ImageSoftware, ...]:
        """What is installed in images. Raises ImageError for the first that is not there, or cannot be read."""
        return await asyncio.to_thread(lambda: tuple(self._image(each) for each in references))

    async def of_project(self, name: str, request: ToolchainRequest) -> tuple[ContainerSoftware, ...]:
        """The containers of a project: whether each is made from what its image is locked to, and what is installed.

        Raises:
            ImageError: what is in one cannot be read.
        """
        pins = Pins.from_wire(request.lock)
        records = [
            record
            for record in self._rooms.store.containers_of(name)
            if not record.one_off and (not request.services or record.service in request.services)
        ]
        return await asyncio.to_thread(
            lambda: tuple(self._container(record, pins, packages=request.packages) for record in records)
        )

    def _image(self, reference: str) -> ImageSoftware:
        image = self._rooms.images.find(reference)
        if image is None:
            raise self._rooms.images.missing(reference)
        self._rooms.images.unpack(image)
        return ImageSoftware(reference, str(image.manifest or ""), _platform(image), _packages(image.layers))

    def _container(self, record: ContainerRecord, pins: Pins, *, packages: bool) -> ContainerSoftware:
        image = self._rooms.images.find(record.config.image_id) if record.config.image_id else None
        layers: tuple[Path, ...] = ()
        if image is not None and packages:
            self._rooms.images.unpack(image)
            layers = (self._rooms.paths.container(record.id) / "upper", *image.layers)
        return ContainerSoftware(
            record.name,
            record.service,
            record.config.image,
            str(image.manifest or "") if image else "",
            _platform(image) if image else "",
            self._state(record, pins),
            _packages(layers),
        )

    def _state(self, record: ContainerRecord, pins: Pins) -> str:
        if pins.image(record.config.image) is None:
            return "unlocked"
        locked = self._pictures.find_one(record.config.image, pins)
        return "same" if locked is not None and locked.id == record.config.image_id else "other"


def _platform(image: Image) -> str:
    return str(Platform(image.config.architecture, image.config.os or "linux", image.config.variant))


def _packages(layers: Sequence[Path]) -> dict[str, dict[str, tuple[str, ...]]]:
    return {ecosystem: dict(names) for ecosystem, names in packages_in(layers).items()} if layers else {}
