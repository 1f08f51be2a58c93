"""The layers of images into the store: in parallel, each blob once, whoever asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager

from composer.clock import Clock
from composer.errors import first_failure
from composer.image.store import Store
from composer.oci.config import ImageConfig, chain_ids
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest
from composer.registry.download import Download, Layer
from composer.registry.progress import LayerProgress, Phase, Report
from composer.registry.repository import Repository
from composer.registry.shared import Shared
from composer.unbroken import unbroken

PARALLEL = 3
"""Layers that come at a time, of all images together."""


class Layers:
    """Fetches into `store`; one for the whole process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._download = Download(store, clock, PARALLEL)
        self._under_way: Shared[None] = Shared()

    async def fetch(
        self,
        sources: Sequence[Repository],
        manifest: Manifest,
        config: ImageConfig,
        report: Report,
        *,
        blobs: bool = False,
    ) -> None:
        """Fetch the layers that are not there, with `blobs` also those that are there only unpacked, each blob once.

        The first failure ends the others.
        """
        missing: dict[Digest, Layer] = {}
        below: Digest | None = None
        for blob, diff_id, chain in zip(manifest.layers, config.diff_ids, chain_ids(config.diff_ids), strict=True):
            if self._store.blobs.has(blob) or (self._store.snapshots.has(chain) and not blobs):
                report(LayerProgress(blob.digest, Phase.PRESENT, blob.size, blob.size))
            else:
                missing.setdefault(blob.digest, Layer(blob, diff_id, below))
            below = chain
        try:
            async with asyncio.TaskGroup() as group:
                for digest, layer in missing.items():
                    group.create_task(self._under_way.do(digest, self._work(sources, layer), report))
        except BaseExceptionGroup as errors:
            raise first_failure(errors) from None

    def _work(self, sources: Sequence[Repository], layer: Layer) -> Callable[[Report], asyncio.Future[None]]:
        return lambda report: asyncio.ensure_future(self._download.layer(sources, layer, report))


@asynccontextmanager
async def adding(store: Store) -> AsyncIterator[None]:
    """`Store.adding`, whose waiting and cleaning up is done in a thread.

    Threads that add meanwhile must have ended when it does: they are `unbroken`.
    """
    stack = ExitStack()
    try:
        await unbroken(stack.enter_context, store.adding())
        yield
    except BaseException as error:
        await unbroken(stack.__exit__, type(error), error, error.__traceback__)
        raise
    await unbroken(stack.close)
