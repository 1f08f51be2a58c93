"""Images that are built: the operation carried out, and what each was made from remembered."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from composer.api.messages import Event, LintFinding
from composer.build.events import Report
from composer.build.options import BuildOptions
from composer.clock import Clock
from composer.engine.building.builds import Buildable
from composer.engine.building.checking import findings
from composer.engine.building.describe import options_of
from composer.engine.building.errand import Errand, Look
from composer.engine.building.freshness import Inputs, Locate, change
from composer.engine.building.inputs import Reader, Trees, pack, unpack
from composer.engine.building.keys import agents
from composer.engine.building.networks import desired
from composer.engine.building.reproduce import check_same
from composer.engine.building.telling import Emit, StepTelling
from composer.engine.configure import image_reference
from composer.engine.plan import BuildImage
from composer.engine.records import BuildRecord
from composer.engine.store import Store
from composer.engine.world import DesiredNetwork
from composer.errors import StateError
from composer.image.catalogue import missing
from composer.image.image import Image
from composer.image.remove import remove
from composer.image.store import Store as Images
from composer.oci.platform import parse_platform

_SOON = 1.0
"""Seconds for which what was seen of contexts counts as what is there."""

_APART = 1.1
"""Seconds between two builds that are compared: what writes the time down shall be found out."""


class Builder(Protocol):
    """Makes images; `composer.build.builder.Builder` is the real one."""

    async def build(self, options: BuildOptions, report: Report) -> Image: ...


class Making:
    """The builder behind the engine's requests."""

    def __init__(
        self,
        builder: Builder,
        images: Images,
        store: Store,
        clock: Clock,
        reader: Reader,
        offer: Callable[[DesiredNetwork, str], None] = lambda _network, _project: None,
    ) -> None:
        """`offer` is told of networks that steps may ask for, and whose they are."""
        self._offer = offer
        self._builder = builder
        self._images = images
        self._store = store
        self._clock = clock
        self._reader = reader

    async def perform(self, operation: BuildImage, errand: Errand, emit: Emit) -> None:
        """Build one image, unless it only had to be there and is. Raises BuildError, ProjectError, RegistryError."""
        if operation.if_missing and all([await self._find(reference) for reference in operation.references]):
            return
        # What is read before is what is remembered: a file that changes meanwhile makes the next `up` build again.
        look = errand.looked.pop(operation.service, None)
        if look is None or self._clock.monotonic() - look.time > _SOON:
            look = await asyncio.to_thread(self._look, operation, errand)
        before = look.inputs
        options = await asyncio.to_thread(options_of, operation, errand, lambda name: self._image_of(name, errand))
        if network := desired(operation.build, errand.project):
            self._offer(network, errand.project.name)
        image = await self._built(replace(options, trees=look.trees), operation, emit)
        images = await asyncio.to_thread(self._reader.images, operation, errand)
        if options.platforms and operation.platform:  # the service runs another of them than this machine would
            image = await self._find(operation.references[0], operation.platform) or image
        try:
            self._remember(operation, image, look.salt, Inputs(before.settings, images, before.files))
        except StateError as error:
            detail = f"cannot remember what `{operation.service}` was built from: {error.message}"
            emit(Event("project", errand.project.name, "warning", detail=detail, hint=error.hint))

    async def verify(self, operations: Sequence[BuildImage], errand: Errand, emit: Emit) -> None:
        """Build each of these images, which are there, once more without the cache, and compare.

        Raises:
            ImageError: one is not what it was, with the first file that differs.
        """
        for operation in operations:
            name = operation.references[0]
            asked = await asyncio.to_thread(options_of, operation, errand, lambda each: self._image_of(each, errand))
            again = replace(asked, tags=(), no_cache=True, cache_to=(), platforms=())
            await self._clock.sleep(_APART)
            for platform in asked.platforms or (asked.platform,):
                await self._verify(name, replace(again, platform=platform), operation, emit)
            emit(Event("image", name, "reproducible", service=operation.service))

    async def _verify(self, name: str, again: BuildOptions, operation: BuildImage, emit: Emit) -> None:
        """Build what is called `name` once more, as `again` says for one platform, and compare."""
        platform = parse_platform(again.platform) if again.platform else None
        first = await asyncio.to_thread(self._images.find, name, platform)
        if first is None:
            raise missing(name)
        second = await self._built(again, operation, emit)
        try:
            await asyncio.to_thread(check_same, name, first, second)
        finally:
            if second.id != first.id:
                await asyncio.to_thread(remove, self._images, second.id)

    async def check(self, operations: Sequence[BuildImage], errand: Errand) -> tuple[LintFinding, ...]:
        """What BuildKit's rules have to say about the Dockerfiles of these builds."""
        found = [await asyncio.to_thread(findings, each, errand, self._reader, self._images) for each in operations]
        return tuple(finding for each in found for finding in each)

    async def stale(
        self, wanted: Sequence[Buildable], errand: Errand, locate: Locate, *, definition_only: bool = False
    ) -> dict[str, str]:
        """Why images that are there are not what their inputs make now, by service; those that are have no entry.

        With `definition_only` files of contexts do not count. What was not built here is nobody's to judge.
        """
        causes = await asyncio.gather(*(self._stale(each, errand, locate, definition_only) for each in wanted))
        return {each.service: cause for each, cause in zip(wanted, causes, strict=True) if cause}

    async def _stale(self, each: Buildable, errand: Errand, locate: Locate, definition_only: bool) -> str:
        record = self._store.builds.get(each.references[0])
        if record is None:
            return ""
        image = await self._find(each.references[0], each.platform)
        if image is None or image.id != record.image_id:
            return ""
        return await asyncio.to_thread(self._compare, each, record, errand, locate, definition_only)

    def _compare(
        self, each: Buildable, record: BuildRecord, errand: Errand, locate: Locate, definition_only: bool
    ) -> str:
        operation = each.operation()
        trees: Trees = {}
        now = self._reader.read(operation, errand, record.salt, files=not definition_only, trees=trees)
        if now is None:
            return ""
        if not definition_only:
            errand.looked[each.service] = Look(record.salt, now, trees, self._clock.monotonic())
        files: Mapping[str, str] = now.files if definition_only else unpack(record.files)
        return change(Inputs(record.settings, record.images, files), now, each.service, locate)

    def _look(self, operation: BuildImage, errand: Errand) -> Look:
        salt, trees = secrets.token_hex(8), Trees()
        inputs = self._reader.read(operation, errand, salt, trees=trees) or Inputs()
        return Look(salt, inputs, trees, self._clock.monotonic())

    async def _built(self, options: BuildOptions, operation: BuildImage, emit: Emit) -> Image:
        async with agents(options.ssh) as sockets:
            return await self._builder.build(
                replace(options, ssh=sockets), StepTelling(operation, self._clock, emit).report
            )

    def _remember(self, operation: BuildImage, image: Image, salt: str, inputs: Inputs) -> None:
        record = BuildRecord(image.id, salt, inputs.settings, inputs.images, pack(inputs.files))
        for reference in operation.references:
            self._store.builds.put(reference, record)

    async def _find(self, reference: str, platform: str = "") -> Image | None:
        return await asyncio.to_thread(self._images.find, reference, parse_platform(platform) if platform else None)

    def _image_of(self, service: str, errand: Errand) -> str:
        """The id of the image that a service runs. Raises ImageError where it is not there."""
        project = errand.project
        reference = image_reference(project, {**project.services, **project.disabled}[service])
        image = self._images.find(reference)
        if image is None:
            raise missing(reference)
        return image.id
