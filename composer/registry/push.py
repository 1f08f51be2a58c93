"""An image from the store into a registry: its blobs, then its manifest, byte by byte as it is stored.

Of an index all images go, then the index itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from composer.clock import Clock
from composer.errors import ImageError, first_failure
from composer.image.host import is_reserved
from composer.image.image import Image
from composer.image.materialise import materialise
from composer.image.store import Store
from composer.oci import media_types
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest
from composer.oci.reference import Reference
from composer.registry.access import Access
from composer.registry.client import Client
from composer.registry.progress import Report
from composer.registry.transport import HttpTransport
from composer.registry.upload import CHUNK, Upload

_PARALLEL = 3


@dataclass(frozen=True, slots=True)
class Pushed:
    """What is at the registry now."""

    reference: Reference
    digest: Digest
    size: int


class Pusher:
    """Pushes out of `store`."""

    def __init__(self, store: Store, clock: Clock, chunk: int = CHUNK) -> None:
        self._store = store
        self._clock = clock
        self._chunk = chunk

    async def push(self, reference: Reference, access: Access, report: Report) -> Pushed:
        """Have the image called `reference` at its registry, under that name.

        Raises:
            ImageError: it is not in the store, or not whole.
            RegistryError: the registry does not take it.
        """
        if is_reserved(str(reference)):
            raise ImageError("cannot push `host`: it is made of this machine's own files and has no digest")
        entry = await asyncio.to_thread(self._store.entry, str(reference))
        images = await asyncio.to_thread(self._store.each, str(reference))
        if entry is None or not images:
            raise self._store.missing(reference.familiar())
        data = await asyncio.to_thread(self._store.blobs.path(entry.digest).read_bytes)
        manifests = [await asyncio.to_thread(self._prepared, reference, image) for image in images]
        if entry.media_type in media_types.INDEXES:
            self._check_whole(reference, data, images)
        transport = HttpTransport()
        try:
            target = Client(access, self._clock, transport).target(reference)
            upload = Upload(target, await asyncio.to_thread(self._relatives, reference, images[0]), self._chunk)
            await self._send(upload, [manifest for _, manifest in manifests], report)
            for content, manifest in manifests:
                if entry.media_type in media_types.INDEXES:
                    by_digest = replace(reference, tag=None, digest=Digest.of(content))
                    await target.put(by_digest, manifest.media_type, content)
            digest = await target.put(reference, entry.media_type, data)
        finally:
            await transport.close()
        return Pushed(reference, digest, len(data))

    def _prepared(self, reference: Reference, image: Image) -> tuple[bytes, Manifest]:
        """An image's manifest, all its blobs being there. Raises ImageError where one cannot be."""
        assert image.manifest is not None
        data = self._store.blobs.path(image.manifest).read_bytes()
        manifest = Manifest.parse(data)
        self._materialise(image)
        self._check(reference, manifest)
        return data, manifest

    def _check_whole(self, reference: Reference, index: bytes, images: Sequence[Image]) -> None:
        """Raise ImageError for an index of which a part is missing: no registry takes it."""
        lacking = {each.digest for each in Index.parse(index).manifests} - {image.manifest for image in images}
        if lacking:
            raise ImageError(
                f"cannot push `{reference.familiar()}`: its index lists {min(lacking, key=str)}, which is not here",
                hint="build or load it for all its platforms",
            )

    async def _send(self, upload: Upload, manifests: Sequence[Manifest], report: Report) -> None:
        slots = asyncio.Semaphore(_PARALLEL)

        async def send(blob: Descriptor) -> None:
            async with slots:
                await upload.blob(blob, self._store.blobs.path(blob.digest), report)

        try:
            async with asyncio.TaskGroup() as group:
                blobs = (blob for manifest in manifests for blob in (*manifest.layers, manifest.config))
                for blob in {each.digest: each for each in blobs}.values():
                    group.create_task(send(blob))
        except BaseExceptionGroup as errors:
            raise first_failure(errors) from None

    def _materialise(self, image: Image) -> None:
        with self._store.adding():
            materialise(self._store, image)

    def _check(self, reference: Reference, manifest: Manifest) -> None:
        for blob in (*manifest.layers, manifest.config):
            if not self._store.blobs.has(blob):
                raise ImageError(
                    f"cannot push `{reference.familiar()}`: {blob.digest} is missing from the image store",
                    hint="pull or load the image again",
                )

    def _relatives(self, reference: Reference, image: Image) -> Sequence[str]:
        """Repositories of the same registry that have this very image, or had it when it was pulled."""
        names = [record.reference for record in self._store.list() if record.id == image.id and record.reference]
        return sorted(
            {
                name.repository
                for name in names
                if name.registry == reference.registry and name.repository != reference.repository
            }
        )
