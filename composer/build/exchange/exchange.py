"""Caches taken before a build and given after it, wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from composer.build.cache import Cache
from composer.build.events import Report, StepEvent, StepStatus
from composer.build.exchange.document import CacheDocument
from composer.build.exchange.export import cache_image, write_layout
from composer.build.exchange.places import CachePlace, cache_place
from composer.build.exchange.take import take
from composer.build.solve import Solved
from composer.clock import Clock
from composer.errors import ComposerError, ImageError
from composer.image.load import load
from composer.image.store import Store
from composer.oci.digest import Digest
from composer.oci.reference import Reference, parse
from composer.registry.access import Access
from composer.registry.client import Client, first_of
from composer.registry.pull import Puller
from composer.registry.push import Pusher
from composer.registry.repository import Repository
from composer.registry.transport import HttpTransport

_INLINE_ARGUMENT = "BUILDKIT_INLINE_CACHE"


class Exchange:
    """Takes and gives; one for the whole engine."""

    def __init__(self, store: Store, puller: Puller, clock: Clock) -> None:
        self._store = store
        self._puller = puller
        self._pusher = Pusher(store, clock)
        self._clock = clock

    async def take(self, texts: Sequence[str], cache: Cache, access: Access, report: Report) -> None:
        """Take over what is at these places; one that cannot be used is a warning. To be called while `Store.adding`.

        Raises UsageError for a place that means nothing.
        """
        for place in map(cache_place, texts):
            try:
                if place.kind == "registry":
                    await self._take_from_registry(parse(place.place), cache, access)
                elif place.kind == "local":
                    await asyncio.to_thread(self._take_from_directory, Path(place.place), cache)
                else:
                    _warn(report, f"a cache of type `{place.kind}` cannot be used here")
            except ComposerError as error:
                _warn(report, f"the cache `{place.place}` is not used: {error.message}")

    async def give(self, texts: Sequence[str], cache: Cache, solved: Solved, access: Access, report: Report) -> None:
        """Have the steps of a build at these places. To be called while `Store.adding`.

        Raises RegistryError and ImageError where one does not take them, unless it may fail; UsageError as `take`.
        """
        for place in map(cache_place, texts):
            if place.kind == "inline":
                continue
            if not place.supported:
                _warn(report, f"a cache of type `{place.kind}` cannot be written here")
                continue
            document = document_of(cache, solved.keys if place.everything else solved.target_keys, solved.aliases)
            try:
                manifest = await asyncio.to_thread(cache_image, self._store, document)
                await self._give(place, manifest, access)
            except ComposerError as error:
                if not place.may_fail:
                    raise
                _warn(report, f"the cache `{place.place}` was not written: {error.message}")

    async def _give(self, place: CachePlace, manifest: bytes, access: Access) -> None:
        if place.kind == "local":
            await asyncio.to_thread(write_layout, self._store, manifest, Path(place.place))
            return
        reference = parse(place.place)
        before = await asyncio.to_thread(self._store.find, str(reference))
        await asyncio.to_thread(self._store.add, manifest, reference)
        try:
            await self._pusher.push(reference, access, lambda _progress: None)
        finally:
            await asyncio.to_thread(self._store.restore, reference, before)

    async def _take_from_registry(self, reference: Reference, cache: Cache, access: Access) -> None:
        digest = await self._resolved(reference, access)
        if cache.alias(f"taken {reference}") == str(digest):
            return
        before = await asyncio.to_thread(self._store.find, str(reference))
        pulled = await self._puller.pull(reference, access, lambda _progress: None)
        try:
            if not await asyncio.to_thread(take, self._store, pulled.image, cache, self._clock.now()):
                raise ImageError("it tells of no steps", hint="build it with `cache_to: [type=inline]`")
            cache.put_alias(f"taken {reference}", str(digest))
        finally:
            await asyncio.to_thread(self._store.restore, reference, before)

    async def _resolved(self, reference: Reference, access: Access) -> Digest:
        transport = HttpTransport()
        found: list[Digest] = []

        async def ask(source: Repository) -> None:
            digest = await source.resolve(reference)
            if digest is None:
                raise ImageError(f"the registry does not say what `{reference.familiar()}` is")
            found.append(digest)

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
        if cache.alias(f"taken {directory}") == str(index):
            return
        for image in load(self._store, directory):
            take(self._store, image, cache, self._clock.now())
            if image.reference:
                self._store.restore(image.reference, None)
        cache.put_alias(f"taken {directory}", str(index))


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


def _warn(report: Report, text: str) -> None:
    report(StepEvent(-1, "", StepStatus.WARNING, detail=text))
