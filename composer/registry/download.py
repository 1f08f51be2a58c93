"""One layer from a registry into the store, unpacked while it comes.

The blob is written and unpacked in one pass by a thread; what it reads comes through a `Conduit` from the event loop, where
a connection that breaks off is taken up again at the byte it had reached, unnoticed by the thread. Nothing is seen in the
store until the whole blob has the digest, size and DiffID that it should have. The disk is not waited for: `Store.add` does
that once for all layers of an image, before its name leads to them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from composer.clock import Clock
from composer.errors import ImageError, RegistryError
from composer.image.layer import Unpacked
from composer.image.staging import staging
from composer.image.store import Store
from composer.image.verify import check_layer
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.registry.conduit import AbortedError, Conduit
from composer.registry.progress import LayerProgress, Phase, Report
from composer.registry.repository import Repository
from composer.registry.retry import Patience
from composer.unbroken import ended

_WRONG = "DIGEST_INVALID"
"""The specification's code for content that is not what its digest says."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer to have: its blob, its uncompressed digest, and the chain below it."""

    blob: Descriptor
    diff_id: Digest
    below: Digest | None


class Download:
    """Brings layers into `store`, some at a time."""

    def __init__(self, store: Store, clock: Clock, parallel: int) -> None:
        self._store = store
        self._clock = clock
        self._slots = asyncio.Semaphore(parallel)
        self._threads = ThreadPoolExecutor(parallel, "unpack")

    async def layer(self, sources: Sequence[Repository], layer: Layer, report: Report) -> None:
        """Have `layer` in the store. Raises RegistryError where no source has it whole, ImageError where it is bad."""
        report(LayerProgress(layer.blob.digest, Phase.WAITING, 0, layer.blob.size))
        async with self._slots:
            *others, last = sources
            for source in others:
                with suppress(RegistryError):
                    try:
                        return await self._from(source, layer, report)
                    except ImageError as error:
                        if _is_disk(error):
                            raise  # no other source would help
            return await self._from(last, layer, report)

    async def _from(self, source: Repository, layer: Layer, report: Report) -> None:
        patience = Patience(self._clock, attempts=2)
        while True:
            try:
                return await self._once(source, layer, report)
            except RegistryError as error:
                if error.code != _WRONG:
                    raise
                await patience.after(error)

    async def _once(self, source: Repository, layer: Layer, report: Report) -> None:
        conduit = Conduit()
        loop = asyncio.get_running_loop()
        unpacking = loop.run_in_executor(self._threads, self._unpack, conduit, layer, source)
        try:
            with suppress(AbortedError):  # then the thread says why
                await self._feed(conduit, source, layer.blob, report)
            report(LayerProgress(layer.blob.digest, Phase.UNPACKING, layer.blob.size, layer.blob.size))
            await asyncio.shield(unpacking)
        finally:
            conduit.abort()
            try:
                await ended(unpacking)
            finally:
                if not unpacking.cancelled():
                    unpacking.exception()  # seen, where another error is on its way already
        report(LayerProgress(layer.blob.digest, Phase.PULLED, layer.blob.size, layer.blob.size))

    async def _feed(self, conduit: Conduit, source: Repository, blob: Descriptor, report: Report) -> None:
        patience = Patience(self._clock)
        received = 0
        while True:
            try:
                async with source.blob(blob.digest, received) as chunks:
                    async for chunk in chunks:
                        received += len(chunk)
                        if received > blob.size:
                            raise _not_as_described(source, blob, f"sent more than its {blob.size} bytes")
                        await conduit.feed(chunk)
                        patience.progressed()
                        report(LayerProgress(blob.digest, Phase.DOWNLOADING, received, blob.size))
                if received == blob.size:
                    conduit.end()
                    return
                raise RegistryError(
                    f"{source.connection.what}: `{source.connection.endpoint.registry}` sent {received} of the "
                    f"{blob.size} bytes of layer {blob.digest}",
                    code="SIZE_INVALID",
                    retryable=True,
                )
            except RegistryError as error:
                if error.code == _WRONG:
                    raise  # going on from here would not make it right
                await patience.after(error)

    def _unpack(self, conduit: Conduit, layer: Layer, source: Repository) -> None:
        """In a thread: read the blob to its end, keep it, and make the snapshot."""
        store, wanted = self._store, layer.blob
        try:
            with staging(store.layout) as directory, store.disk.unsettled():
                path = directory / "layer"
                try:
                    with path.open("wb") as copy:

                        def keep(unpacked: Unpacked) -> None:
                            # The blob first: a snapshot without it would count as a blob that was dropped.
                            check_layer(wanted, unpacked.content.digest, unpacked.content.size)
                            copy.flush()
                            store.blobs.adopt(path, wanted.digest, settled=False)

                        store.snapshots.unpack(conduit, layer.below, copy, layer.diff_id, keep, settled=False)
                except ImageError as error:
                    if _is_disk(error) or _rest_fits(path, conduit, wanted.digest):
                        raise  # not the registry's fault: the disk, or an image that was pushed like this
                    raise _not_as_described(source, wanted, f"sent something else ({error.message})") from error
        except OSError as error:
            raise ImageError(f"cannot store layer {wanted.digest}: {(error.strerror or str(error)).lower()}") from error
        finally:
            conduit.close()


def _is_disk(error: ImageError) -> bool:
    return isinstance(error.__cause__, OSError) and bool(error.__cause__.errno)


def _rest_fits(path: Path, conduit: Conduit, digest: Digest) -> bool:
    """Whether what was read so far and what is still to come have this digest together."""
    content = hashlib.sha256()
    with path.open("rb") as read:
        while chunk := read.read(1 << 20):
            content.update(chunk)
    while chunk := conduit.read(1 << 20):
        content.update(chunk)
    return content.hexdigest() == digest.hex


def _not_as_described(source: Repository, blob: Descriptor, why: str) -> RegistryError:
    return RegistryError(
        f"{source.connection.what}: for layer {blob.digest} `{source.connection.endpoint.registry}` {why}",
        code=_WRONG,
        retryable=True,
    )
