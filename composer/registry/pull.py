"""An image from a registry into the store.

Manifest, platform, config, layers; then the name. Layers come in parallel and are unpacked while they come. What the store
has is not fetched, what two pulls want at once is fetched once, and until the last layer is there the name means what it
meant before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from composer.clock import Clock
from composer.errors import ImageError
from composer.image.beside import find_beside, name_beside
from composer.image.image import Image, Origin
from composer.image.index import origin_of, reference_of
from composer.image.store import Store, refuse_reserved
from composer.image.verify import check_layers
from composer.oci.config import ImageConfig, chain_ids
from composer.oci.descriptor import Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest
from composer.oci.platform import parse_platform, rank, this_platform
from composer.oci.reference import Reference
from composer.registry.access import Access
from composer.registry.client import Client, first_of
from composer.registry.connection import Manners
from composer.registry.layers import Layers, adding
from composer.registry.platforms import check_platform, for_platform
from composer.registry.progress import Report
from composer.registry.repository import Document, Repository
from composer.registry.transport import HttpTransport
from composer.unbroken import unbroken


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that is in the store now."""

    image: Image
    changed: bool
    """Whether the name means another image than before, or means one at all."""
    warning: str = ""


class Puller:
    """Pulls into `store`; one for the whole process, so that nothing is fetched twice at once."""

    def __init__(self, store: Store, clock: Clock, transport: HttpTransport | None = None) -> None:
        self._store = store
        self._clock = clock
        self._transport = transport or HttpTransport()
        self._manners: Manners = {}
        self._using = 0
        self._layers = Layers(store, clock)

    async def pull(
        self,
        reference: Reference,
        access: Access,
        report: Report,
        platform: str = "",
        digest: Digest | None = None,
        *,
        beside: bool = False,
    ) -> Pulled:
        """Have the image that `reference` means at its registry, for `platform` or the one that suits this machine.

        With `digest` it is that content, whatever the name means by now; the image gets the name if no other has it. With
        `beside` the name stays whose it is, and `image.beside` finds what was pulled.

        Raises:
            RegistryError: the registry does not give it, or not what its digests say.
            ImageError: it cannot be used here, or not be stored.
        """
        refuse_reserved(str(reference))
        if digest and digest != reference.digest:
            pulled = await self.pull(replace(reference, digest=digest), access, report, platform, beside=beside)
            if not beside:
                await asyncio.to_thread(self._name_too, pulled.image, reference, Origin(digest, self._clock.now()))
            return pulled
        asked = platform or access.environment.get("DOCKER_DEFAULT_PLATFORM", "")
        wanted = parse_platform(asked) if asked else this_platform()
        before = await asyncio.to_thread(self._whole, reference, wanted if beside else None)
        async with self._connected(), adding(self._store):
            sources = Client(access, self._clock, self._transport, self._manners).sources(reference)
            if before and before.origin and await self._is_current(sources, reference, before, wanted):
                manifest = await asyncio.to_thread(self._manifest_of, before)
                origin = replace(before.origin, time=self._clock.now())
                name = before.reference if beside else reference
                return Pulled(await unbroken(self._store.add, manifest, name, origin), changed=False)
            image, warning = await self._fetch(sources, reference, wanted, report, explicit=bool(asked), beside=beside)
        return Pulled(image, before is None or before.manifest != image.manifest, warning)

    async def complete(self, image: Image, access: Access, report: Report) -> None:
        """Have the blobs of an image that was pulled, where only its unpacked layers have been kept.

        One that cannot be pulled again is left as it is. Raises as `pull` does.
        """
        found = await asyncio.to_thread(self._lacking, image)
        if found is None:
            return
        manifest, reference = found
        async with self._connected(), adding(self._store):
            sources = Client(access, self._clock, self._transport, self._manners).sources(reference)
            await self._layers.fetch(sources, manifest, image.config, report, blobs=True)

    def _lacking(self, image: Image) -> tuple[Manifest, Reference] | None:
        """The image's manifest and where it came from, if it lacks blobs that nothing here could write."""
        if image.manifest is None:
            return None
        manifest = Manifest.parse(self._manifest_of(image))
        pairs = zip(manifest.layers, image.config.diff_ids, strict=True)
        if all(self._store.blobs.has(blob) or blob.digest == diff_id for blob, diff_id in pairs):
            return None
        origins = [entry for entry in self._store.entries() if entry.digest == image.manifest and origin_of(entry)]
        reference = next((name for entry in origins if (name := reference_of(entry))), None)
        return (manifest, reference) if reference else None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        """Connections stay while anybody pulls: whoever gives up may have begun what others wait for."""
        self._using += 1
        try:
            yield
        finally:
            self._using -= 1
            if not self._using:
                await self._transport.close()

    def _whole(self, reference: Reference, beside: Platform | None) -> Image | None:
        """The image that has the name so far; one that is damaged counts as none, and is fetched again."""
        try:
            if beside:
                return find_beside(self._store, reference, beside)
            return self._store.find(str(reference))
        except ImageError:
            return None

    async def _is_current(
        self, sources: Sequence[Repository], reference: Reference, before: Image, wanted: Platform
    ) -> bool:
        """Whether the registry means by the name what we have, whole, for this platform."""
        assert before.origin is not None
        have = Platform(before.config.architecture, before.config.os, before.config.variant)
        if rank(have, wanted) is None or not all(layer.is_dir() for layer in before.layers):
            return False
        if reference.digest:
            return True
        told: list[Digest | None] = []

        async def ask(source: Repository) -> None:
            told.append(await source.resolve(reference))

        await first_of(sources, ask)
        return told[-1] == before.origin.digest

    def _name_too(self, image: Image, reference: Reference, origin: Origin) -> None:
        """Give the image one more name, unless that is another's: who asked for a digest does not move a tag."""
        with self._store.adding():
            if self._store.entry(str(reference)) is None:
                self._store.add(self._manifest_of(image), reference, origin)

    def _manifest_of(self, image: Image) -> bytes:
        assert image.manifest is not None
        return self._store.blobs.path(image.manifest).read_bytes()

    async def _fetch(
        self,
        sources: Sequence[Repository],
        reference: Reference,
        wanted: Platform,
        report: Report,
        *,
        explicit: bool,
        beside: bool,
    ) -> tuple[Image, str]:
        got: list[Document] = []

        async def ask(source: Repository) -> None:
            got.append(await source.manifest(reference))

        chosen = await first_of(sources, ask)
        sources = sources[sources.index(chosen) :]
        top = got[-1]
        document = await for_platform(chosen, reference, top, wanted)
        manifest = Manifest.parse(document.data)
        data = await chosen.document(manifest.config)
        config = ImageConfig.parse(data)
        check_layers(manifest, config)
        warning = check_platform(reference, config, wanted, explicit=explicit)
        origin = Origin(top.descriptor.digest, self._clock.now())
        name = name_beside(reference, document.descriptor.digest) if beside else reference
        record = partial(self._record, name, document.data, data, config, origin)
        await self._layers.fetch(sources, manifest, config, report)
        try:
            return await unbroken(record), warning
        except ImageError:
            # A blob that was there already is damaged, else the layer would not have come to be one.
            if not await unbroken(self._discard_blobs, manifest, config):
                raise
        await self._layers.fetch(sources, manifest, config, report)
        return await unbroken(record), warning

    def _record(self, reference: Reference, manifest: bytes, data: bytes, config: ImageConfig, origin: Origin) -> Image:
        """Name the image, all of it being there; layers of which only the blob was there are unpacked first."""
        for content in (manifest, data):
            self._discard_unlike(content)
        with self._store.disk.unsettled():
            digest = self._store.blobs.put(manifest, settled=False)
            identity = str(self._store.blobs.put(data, settled=False))
        layers = self._store.snapshots.lowers(config.diff_ids)
        self._store.unpack(Image(identity, reference, digest, config, layers))
        return self._store.add(manifest, reference, origin)

    def _discard_unlike(self, content: bytes) -> None:
        """Delete what lies in the place of this content and is something else."""
        path = self._store.blobs.path(Digest.of(content))
        if path.exists() and path.read_bytes() != content:
            path.unlink()

    def _discard_blobs(self, manifest: Manifest, config: ImageConfig) -> bool:
        """Delete the blobs of layers that have no snapshot; whether there were any."""
        chains = chain_ids(config.diff_ids)
        doubtful = [
            blob
            for blob, chain in zip(manifest.layers, chains, strict=True)
            if self._store.blobs.has(blob) and not self._store.snapshots.has(chain)
        ]
        for blob in doubtful:
            self._store.blobs.remove(blob.digest)
        return bool(doubtful)
