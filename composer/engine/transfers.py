"""Pulls and pushes as requests need them, told as events: a line for each layer, and one for the whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from composer.api.messages import Event
from composer.clock import Clock
from composer.engine.plan import PullImage, PushImage
from composer.image.store import Store as Images
from composer.oci.digest import Digest
from composer.oci.reference import parse
from composer.registry.access import Access
from composer.registry.progress import LayerProgress, Phase
from composer.registry.pull import Puller
from composer.registry.push import Pusher

Emit = Callable[[Event], None]

_BETWEEN = 0.1
"""Seconds between two events about the bytes of the same image."""


class Transfers:
    """The registries behind the engine's requests."""

    def __init__(self, images: Images, puller: Puller, pusher: Pusher, clock: Clock) -> None:
        self._images = images
        self._puller = puller
        self._pusher = pusher
        self._clock = clock

    async def perform(self, operation: PullImage | PushImage, surroundings: Mapping[str, str], emit: Emit) -> None:
        """Pull or push one image. Raises RegistryError, ImageError, and UsageError for the user's own files."""
        reference = parse(operation.reference)
        access = await asyncio.to_thread(Access.of, surroundings)
        match operation:
            case PullImage(name, platform):
                report = Telling(name, "pulling", self._clock, emit).report
                digest = Digest.parse(operation.digest) if operation.digest else None
                pulled = await self._puller.pull(reference, access, report, platform, digest)
                if pulled.warning:
                    emit(Event("project", "", "warning", detail=pulled.warning))
            case PushImage(name):
                await self.complete((name,), surroundings, emit)
                report = Telling(name, "pushing", self._clock, emit).report
                await self._pusher.push(reference, access, report)

    async def complete(self, references: Sequence[str], surroundings: Mapping[str, str], emit: Emit) -> None:
        """Have the blobs of images that were pulled and of which only the unpacked layers were kept. Raises as `perform`."""
        access = await asyncio.to_thread(Access.of, surroundings)
        for name in references:
            image = await asyncio.to_thread(self._images.find, name)
            if image is not None:
                await self._puller.complete(image, access, Telling(name, "pulling", self._clock, emit).report)


class Telling:
    """Turns reports about layers into events: each change of phase at once, bytes now and then."""

    def __init__(self, name: str, status: str, clock: Clock, emit: Emit) -> None:
        self._name = name
        self._status = status
        self._clock = clock
        self._emit = emit
        self._layers: dict[Digest, LayerProgress] = {}
        self._told = float("-inf")

    def report(self, progress: LayerProgress) -> None:
        """Take a report."""
        before = self._layers.get(progress.digest)
        self._layers[progress.digest] = progress
        now = self._clock.monotonic()
        if before is None or before.phase is not progress.phase:
            self._tell(progress)
        elif now - self._told < _BETWEEN:
            return
        self._told = now
        for layer in self._layers.values():
            if layer.phase in (Phase.DOWNLOADING, Phase.UPLOADING):
                self._tell(layer)
        current = sum(layer.current for layer in self._layers.values())
        total = sum(layer.total for layer in self._layers.values())
        self._emit(Event("image", self._name, self._status, current=current, total=total))

    def _tell(self, layer: LayerProgress) -> None:
        name, phase = layer.digest.short, layer.phase.value
        self._emit(Event("layer", name, phase, parent=self._name, current=layer.current, total=layer.total))
