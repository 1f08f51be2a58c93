"""Caches taken before a build and given after it, wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from composer.build.cache import TAKEN, Cache
from composer.build.events import Report, StepEvent, StepStatus
from composer.build.exchange.document import CacheDocument
from composer.build.exchange.export import cache_image, write_layout
from composer.build.exchange.foreign import refuse_foreign, refuse_foreign_layout
from composer.build.exchange.places import CachePlace, cache_place
from composer.build.exchange.take import take
from composer.build.options import BuildOptions
from composer.build.solve import Solved
from composer.clock import Clock
from composer.errors import ComposerError, ImageError
from composer.image.load import load
from composer.image.store import Store
from composer.oci import media_types
from composer.oci.descriptor import Platform
from composer.oci.digest import Digest
from composer.oci.platform import parse_platform, this_platform
from composer.oci.reference import Reference, parse
from composer.registry.access import Access
from composer.registry.client import Client, first_of
from composer.registry.pull import Puller
from composer.registry.push import Pusher
from composer.registry.repository import Document, Repository
from composer.registry.transport import HttpTransport
from composer.unbroken import unbroken

_INLINE_ARGUMENT = "BUILDKIT_INLINE_CACHE"


class Exchange:
    """Takes and gives; one for the whole engine."""

    def __init__(self, store: Store, puller: Puller, clock: Clock) -> None:
        self._store = store
        self._puller = puller
        self._pusher = Pusher(store, clock)
        self._clock = clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, options: BuildOptions, cache: Cache, access: Access, report: Report) -> None:
        """Take over what is at the places of `cache_from`; one that cannot be used is a warning.

        To be called while `Store.adding`. Raises UsageError for a place that means nothing.
        """
        wanted = parse_platform(options.platform) if options.platform else this_platform()
        for text in options.cache_from:
            place = cache_place(text)
            try:
                if place.kind in ("registry", "local"):
                    # Builds that take one cache at the same time do so in turn: the first does it for all.
                    async with self._turns.setdefault(place.place, asyncio.Lock()):
                        if place.kind == "registry":
                            await self._take_from_registry(parse(place.place), wanted, cache, access)
                        else:
                            await unbroken(self._take_from_directory, Path(place.place), cache)
                else:
                    _warn(report, options, text, f"a cache of type `{place.kind}` cannot be used here")
            except ComposerError as error:
                _warn(report, options, text, f"the cache `{place.place}` is not used: {error.message}")

    async def give(self, options: BuildOptions, cache: Cache, solved: Solved, access: Access, report: Report) -> None:
        """Have the steps of a build at the places of `cache_to`. To be called while `Store.adding`.

        Raises RegistryError and ImageError where one does not take them, unless it may fail; UsageError as `take`.
        """
        for text in options.cache_to:
            place = cache_place(text)
            if place.kind == "inline":
                continue
            if not place.supported:
                _warn(report, options, text, f"a cache of type `{place.kind}` cannot be written here")
                continue
            document = document_of(cache, solved.keys if place.everything else solved.target_keys, solved.aliases)
            try:
                manifest = await unbroken(cache_image, self._store, document)
                async with self._turns.setdefault(place.place, asyncio.Lock()):
                    await self._give(place, manifest, access)
            except ComposerError as error:
                if not place.may_fail:
                    raise
                _warn(report, options, text, f"the cache `{place.place}` was not written: {error.message}")

    async def _give(self, place: CachePlace, manifest: bytes, access: Access) -> None:
        if place.kind == "local":
            await unbroken(write_layout, self._store, manifest, Path(place.place))
            return
        reference = parse(place.place)
        async with self._borrowed(reference):
            await unbroken(self._store.add, manifest, reference)
            await self._pusher.push(reference, access, lambda _progress: None)

    async def _take_from_registry(self, reference: Reference, wanted: Platform, cache: Cache, access: Access) -> None:
        document = await self._asked(reference, access)
        refuse_foreign(document.data)
        # Of an image for several platforms each tells of its own steps; a cache is for whoever knows its keys.
        several = document.descriptor.media_type in media_types.INDEXES
        taken = f"{TAKEN} {reference}{f' {wanted}' if several else ''}"
        digest = str(document.descriptor.digest)
        if cache.alias(taken) == digest:
            return
        platform = str(wanted) if several else ""
        async with self._borrowed(reference):
            pulled = await self._puller.pull(reference, access, lambda _progress: None, platform)
            if not await unbroken(take, self._store, pulled.image, cache, self._clock.now()):
                raise ImageError("it tells of no steps", hint="build it with `cache_to: [type=inline]`")
            cache.put_alias(taken, digest)

    @asynccontextmanager
    async def _borrowed(self, reference: Reference) -> AsyncIterator[None]:
        """Meanwhile the name may be given to a cache; in the end, given up or not, it is whose it was."""
        before = await asyncio.to_thread(self._store.find, str(reference))
        try:
            yield
        finally:
            await unbroken(self._store.restore, reference, before)

    async def _asked(self, reference: Reference, access: Access) -> Document:
        transport = HttpTransport()
        found: list[Document] = []

        async def ask(source: Repository) -> None:
            found.append(await source.manifest(reference))

        try:
            await first_of(Client(access, self._clock, transport).sources(reference), ask)
        finally:
            await transport.close()
        return found[-1]

    def _take_from_directory(self, directory: Path, cache: Cache) -> None:
        try:
            index = Digest.of((directory / "index.json").read_bytes())
        except OSError as error:
            raise ImageError(f"there is no cache: {(error.strerror or str(error)).lower()}") from error
        if cache.alias(f"{TAKEN} {directory}") == str(index):
            return
        refuse_foreign_layout(directory)
        for image in load(self._store, directory):
            take(self._store, image, cache, self._clock.now())
            if image.reference:
                self._store.restore(image.reference, None)
        cache.put_alias(f"{TAKEN} {directory}", str(index))


def inline_document(
    texts: Iterable[str], args: Iterable[tuple[str, str]], cache: Cache, solved: Solved
) -> CacheDocument | None:
    """What the image itself is to tell of its steps, None for nothing."""
    wanted = any(cache_place(text).kind == "inline" for text in texts) or dict(args).get(_INLINE_ARGUMENT) == "1"
    return document_of(cache, solved.target_keys, solved.aliases) if wanted else None


def document_of(cache: Cache, keys: Iterable[str], aliases: Iterable[tuple[str, str]]) -> CacheDocument:
    """The records with these keys, and the aliases that lead to one of them."""
    records = [record for key in dict.fromkeys(keys) if (record := cache.get(key)) is not None]
    known = {record.key for record in records}
    return CacheDocument(tuple(records), tuple(pair for pair in aliases if pair[1] in known))


def _warn(report: Report, options: BuildOptions, text: str, said: str) -> None:
    where = options.said_at.get(text)
    report(StepEvent(-1, "", StepStatus.WARNING, detail=f"{where}: {said}" if where else said))
