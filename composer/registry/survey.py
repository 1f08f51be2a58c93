"""What a registry means by a name, for every platform, without fetching any layer.

The index tells the manifests of all platforms; what else is told (when the image was made, how large it is) is that of a
single one, so that a registry that counts requests counts two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from composer.clock import Clock
from composer.errors import ImageError
from composer.oci import media_types
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest
from composer.oci.reference import Reference
from composer.registry.access import Access
from composer.registry.client import Client, first_of
from composer.registry.repository import Document, Repository
from composer.registry.transport import HttpTransport

_PARALLEL = 6
_MOST_NESTED = 2
_MOST_ENTRIES = 200
"""Those of an index that are asked for one by one, having no platform, are an index' worth of requests."""


@dataclass(frozen=True, slots=True)
class Survey:
    """An image as a registry has it."""

    digest: Digest
    """Of the index, or of the manifest where there is no index."""
    platforms: Mapping[str, Digest]
    """Platform -> digest of its manifest; what is not for Linux is left out."""
    source: str
    """The registry or mirror that told."""
    created: str = ""
    size: int = 0
    """Bytes of the compressed layers; like `created` of the manifest that was chosen."""
    triggers: tuple[str, ...] = ()
    """What it asks of whoever builds on it (ONBUILD)."""


class Surveyor:
    """Asks registries about images, several at a time."""

    def __init__(self, access: Access, clock: Clock, transport: HttpTransport, verb: str) -> None:
        self._verb = verb
        self._client = Client(access, clock, transport)
        self._slots = asyncio.Semaphore(_PARALLEL)

    @classmethod
    @asynccontextmanager
    async def open(cls, access: Access, clock: Clock, verb: str = "look up") -> AsyncIterator[Surveyor]:
        """A surveyor with connections of its own, which end with the context; `verb` is what errors say cannot be done."""
        transport = HttpTransport()
        try:
            yield cls(access, clock, transport, verb)
        finally:
            await transport.close()

    async def digest(self, reference: Reference) -> Digest:
        """The digest behind a reference. Raises RegistryError."""
        told: list[Digest | None] = []

        async def ask(source: Repository) -> None:
            told.append(await source.resolve(reference))

        async with self._slots:
            await first_of(self._client.sources(reference, self._verb), ask)
        return told[-1] or (await self._top(reference))[1].descriptor.digest

    async def survey(self, reference: Reference, measure: Callable[[Mapping[str, Digest]], str]) -> Survey:
        """All there is to know about `reference`; `measure` chooses the platform that tells size and time.

        Raises:
            RegistryError: the registry does not give it, or not what its digests say.
            ImageError: it is no image.
        """
        source, top = await self._top(reference)
        platforms = {str(platform): digest for platform, digest in await self._platforms(source, reference, top)}
        if not platforms:
            raise ImageError(f"cannot {self._verb} `{reference.familiar()}`: there is no image for Linux behind it")
        chosen = platforms[measure(platforms)]
        manifest = Manifest.parse((await self._document(source, reference, top, chosen)).data)
        config = await self._config(source, manifest)
        size = sum(layer.size for layer in manifest.layers)
        registry = source.connection.endpoint.registry
        return Survey(top.descriptor.digest, platforms, registry, config.created, size, config.on_build)

    async def _top(self, reference: Reference) -> tuple[Repository, Document]:
        got: list[Document] = []

        async def ask(source: Repository) -> None:
            got.append(await source.manifest(reference))

        async with self._slots:
            return await first_of(self._client.sources(reference, self._verb), ask), got[-1]

    async def _platforms(
        self, source: Repository, reference: Reference, document: Document, depth: int = 0
    ) -> Sequence[tuple[Platform, Digest]]:
        """The manifests behind a document, those for Linux, in its order."""
        if document.descriptor.media_type in media_types.MANIFESTS:
            config = await self._config(source, Manifest.parse(document.data))
            if config.os not in ("", "linux"):
                return ()
            platform = Platform(config.architecture or "unknown", "linux", config.variant)
            return ((platform, document.descriptor.digest),)
        found: dict[Platform, Digest] = {}
        entries = Index.parse(document.data).manifests
        if len(entries) > _MOST_ENTRIES:
            raise ImageError(f"cannot {self._verb} `{reference.familiar()}`: its index has {len(entries)} entries")
        for entry in entries:
            if entry.media_type in media_types.INDEXES or entry.platform is None:
                if depth == _MOST_NESTED:
                    raise ImageError(f"cannot {self._verb} `{reference.familiar()}`: its index is nested too deep")
                inner = await self._document(source, reference, document, entry.digest)
                for platform, digest in await self._platforms(source, reference, inner, depth + 1):
                    found.setdefault(platform, digest)
            elif entry.platform.os == "linux" and entry.media_type in media_types.MANIFESTS:
                found.setdefault(entry.platform, entry.digest)
        return tuple(found.items())

    async def _document(self, source: Repository, reference: Reference, have: Document, wanted: Digest) -> Document:
        if have.descriptor.digest == wanted:
            return have
        async with self._slots:
            return await source.manifest(replace(reference, tag=None, digest=wanted))

    async def _config(self, source: Repository, manifest: Manifest) -> ImageConfig:
        async with self._slots:
            return ImageConfig.parse(await source.document(manifest.config))
