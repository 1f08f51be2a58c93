"""Images that a build stands on: those of the store, and those that a registry has to give first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from composer.build.dockerfile.problems import did_you_mean
from composer.build.dockerfile.stages import Stages
from composer.build.events import Report, StepEvent, StepStatus
from composer.build.lower import Wanted
from composer.build.options import BuildOptions
from composer.errors import BuildError, ComposerError, Diagnostic, ImageError, Severity
from composer.image.beside import find_beside
from composer.image.entries import platform_of
from composer.image.host import is_reserved
from composer.image.image import Image
from composer.image.load import load_one
from composer.image.store import Store
from composer.oci.descriptor import Platform
from composer.oci.digest import Digest
from composer.oci.platform import parse_platform, rank, this_platform
from composer.oci.reference import Reference, parse
from composer.registry.access import Access
from composer.registry.progress import LayerProgress, Phase
from composer.registry.pull import Puller
from composer.unbroken import unbroken

_IMAGE = "docker-image://"
_LAYOUT = "oci-layout://"


class Bases:
    """Finds and pulls base images; one for the whole engine."""

    def __init__(self, store: Store, puller: Puller) -> None:
        self._store = store
        self._puller = puller

    async def resolve(
        self,
        wanted: Wanted,
        number: int,
        options: BuildOptions,
        platform: Platform,
        stages: Stages,
        report: Report,
    ) -> Image:
        """The image, in the store. Raises BuildError with the place of the instruction that asks for it."""
        source = stages.dockerfile.source
        try:
            return await self._resolve(wanted, number, options, platform, report)
        except ComposerError as error:
            if isinstance(error, BuildError):
                raise
            line = source.excerpt(wanted.span)[0]
            place = source.location(wanted.span.first, len(line) - len(line.lstrip()) + 1, len(line.strip()))
            near = await asyncio.to_thread(self._near, wanted.reference, stages)
            hint = f"{near}\n{error.hint}".strip()
            raise BuildError([Diagnostic(Severity.ERROR, error.message, place, hint=hint)]) from error

    def _near(self, reference: str, stages: Stages) -> str:
        """A stage, or an image that is here, that may have been meant."""
        named = {stage.name for stage in stages.dockerfile.stages if stage.name}
        if near := did_you_mean(reference, named):
            return near.replace("mean ", "mean the stage ")
        here = {record.reference.familiar() for record in self._store.list() if record.reference}
        return did_you_mean(reference, {name for name in here if "@" not in name} - {reference}).replace(
            "`?", "`, which is here?"
        )

    async def _resolve(
        self, wanted: Wanted, number: int, options: BuildOptions, platform: Platform, report: Report
    ) -> Image:
        reference = wanted.reference.removeprefix(_IMAGE)
        needed = parse_platform(wanted.platform) if wanted.platform else platform
        if reference.startswith(_LAYOUT):
            return await unbroken(self._from_layout, reference.removeprefix(_LAYOUT), needed)
        if is_reserved(reference):
            raise ImageError(
                "cannot build on `host`: it is made of this machine's own programs and has no layers",
                hint="build on a real image such as `debian`, and use `host` only in `image:`",
            )
        beside = rank(needed, this_platform()) is None
        digests: tuple[Digest, ...] = ()
        found = await asyncio.to_thread(self._store.find, reference, needed)
        by_id = found is not None and (found.reference is None or found.id == reference)
        maker = "" if by_id else options.made_by.get(str(parse(reference)), "")
        if not by_id and not maker and (digests := options.pinned.image(parse(reference))):
            found = await asyncio.to_thread(self._exactly, parse(reference), digests, needed)
        elif beside and not by_id and not (found is not None and _runs(found, needed)):
            found = await asyncio.to_thread(find_beside, self._store, parse(reference), needed) or found
        if found is not None and (by_id or ((digests or maker or not options.pull) and _runs(found, needed))):
            return found
        if maker and options.pinned.strict:
            raise ImageError(
                f"cannot use `{reference}`: it is not built yet, and not locked", hint=_first(maker, reference)
            )
        access = await asyncio.to_thread(Access.of, options.surroundings)
        name = f"FROM {wanted.reference}"
        asked = wanted.platform or options.platform
        report(StepEvent(number, name, StepStatus.STARTED))
        try:
            pulled = await self._puller.pull(
                parse(reference), access, _telling(number, name, report), asked, *digests[:1], beside=beside
            )
        except ComposerError as error:
            report(StepEvent(number, name, StepStatus.FAILED, detail=error.message))
            if found is not None and not _runs(found, needed):
                raise _for_another(wanted.reference, found, needed, error) from error
            error.hint = _first(maker, reference) if maker else error.hint
            raise
        report(StepEvent(number, name, StepStatus.DONE))
        if pulled.warning:
            report(StepEvent(-1, "", StepStatus.WARNING, detail=pulled.warning))
        return pulled.image

    def _exactly(self, reference: Reference, digests: Sequence[Digest], platform: Platform) -> Image | None:
        spellings = (str(replace(reference, digest=digest)) for digest in digests)
        return next((image for each in spellings if (image := self._store.find(each, platform)) is not None), None)

    def _from_layout(self, place: str, platform: Platform) -> Image:
        """An image of an OCI layout directory: `/path[:tag][@digest]`."""
        path, _, digest = place.partition("@")
        directory, tag = Path(path), ""
        if not directory.exists() and ":" in directory.name:
            head, _, tag = path.rpartition(":")
            directory = Path(head)
        image = load_one(self._store, directory, tag, digest)
        if image is not None:
            return self._store.find(image.id, platform) or image
        raise ImageError(f"cannot use `oci-layout://{place}`: no such image is in that layout")


def _runs(image: Image, platform: Platform) -> bool:
    return not image.config.architecture or rank(platform_of(image.config), platform) is not None


def _for_another(name: str, found: Image, needed: Platform, error: ComposerError) -> ImageError:
    return ImageError(
        f"cannot build on `{name}` for `{needed}`: the image that is here is for `{platform_of(found.config)}`, "
        f"and none can be pulled ({error.message})",
        hint=error.hint,
    )


def _telling(number: int, name: str, report: Report) -> Callable[[LayerProgress], None]:
    layers: dict[Digest, LayerProgress] = {}

    def tell(progress: LayerProgress) -> None:
        layers[progress.digest] = progress
        if progress.phase in (Phase.DOWNLOADING, Phase.UNPACKING, Phase.PULLED):
            current = sum(layer.current for layer in layers.values())
            total = sum(layer.total for layer in layers.values())
            report(StepEvent(number, name, StepStatus.PROGRESS, current=current, total=total))

    return tell


def _first(service: str, reference: str) -> str:
    """How to have an image that another service builds."""
    return (
        f"`{service}` builds it: `compose build {service}` first, or put "
        f'`additional_contexts: {{"{reference}": "service:{service}"}}` into the build, and it always comes first'
    )
