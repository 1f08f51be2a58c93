"""What the steps of one build read: contexts, stages, images, downloads, secrets; each looked at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from composer.build.dockerfile.source import Source as Text
from composer.build.dockerfile.stages import context_name
from composer.build.failure import explained
from composer.build.files import ContentCache, Selection, Tree, inline, open_chain, select, selected
from composer.build.keys import definition_digest
from composer.build.layers import Layer, paths
from composer.build.operations import (
    CopyOperation,
    LayerOperation,
    MountKind,
    Part,
    RunMount,
    SourceKind,
    Vertex,
)
from composer.build.options import BuildOptions
from composer.build.why import Making, digests
from composer.errors import BuildError, ComposerError
from composer.image.image import Image

Reading = Part | RunMount
Fetch = Callable[[Part, tuple[str, ...]], Awaitable[Selection]]
"""What an ADD of something remote gives, without what the patterns exclude."""


@dataclass(slots=True)
class Inputs:
    """One build's; `digest` says what a step reads before it runs, `select` gives it."""

    options: BuildOptions
    text: Text
    """The Dockerfile, for errors."""
    contexts: Mapping[str, Tree]
    """By name in small letters; "" is the build's own."""
    contents: ContentCache
    unpack: Callable[[Image], Awaitable[None]]
    """Have the layers of an image on the disk."""
    fetch: Fetch
    epoch: int | None = None
    _selections: dict[object, asyncio.Task[Selection]] = field(default_factory=dict)

    async def digest(self, operation: LayerOperation, reading: Reading, layer: Layer | None) -> str:
        """What a step reads, by content; `layer` is the stage it is from. Raises FilesError and its kin."""
        if isinstance(reading, RunMount):
            if reading.kind is not MountKind.BIND:
                return ""  # what a cache begins with is part of no key
            if reading.path == "/":
                digests = await layer.digests if layer else None
                return str(digests.chain) if digests else ""
            return (await self._selected(_bound(reading), layer, (), parents=False, owners=True)).digest
        assert isinstance(operation, CopyOperation)
        return (await self.select(operation, reading, layer)).digest

    async def select(self, operation: CopyOperation, part: Part, layer: Layer | None) -> Selection:
        """The files that one part of a COPY means."""
        return await self._selected(
            part, layer, operation.excludes, parents=operation.parents, owners=not operation.owner
        )

    @property
    def origin(self) -> str:
        """Which Dockerfile of which context this is."""
        one = self.options
        return f"{one.context}\0{one.dockerfile}\0{one.dockerfile_text is None}\0{one.platform}"

    async def making(self, operation: LayerOperation, below: str, sources: Mapping[Reading, Layer | None]) -> Making:
        """What a step is made of, for telling later why it was run again."""
        files: dict[str, str] = {}
        stages: list[str] = []
        for reading, layer in sources.items():
            if isinstance(reading, Part) and reading.source.kind is SourceKind.CONTEXT:
                assert isinstance(operation, CopyOperation)
                selection = await self.select(operation, reading, layer)
                prefix = f"{reading.source.name}:" if reading.source.name else ""
                files |= await asyncio.to_thread(_files, selection, prefix)
            else:
                stages.append(await self.digest(operation, reading, layer))
        return Making(below, definition_digest(operation), files, tuple(stages))

    def explain(self, vertex: Vertex, error: ComposerError) -> BuildError:
        """The error as the user should see it."""
        return explained(error, vertex, self.text)

    async def _selected(
        self, part: Part, layer: Layer | None, excludes: tuple[str, ...], *, parents: bool, owners: bool
    ) -> Selection:
        key = (part, id(layer), excludes, parents, owners)
        if key not in self._selections:
            self._selections[key] = asyncio.create_task(self._select(part, layer, excludes, parents, owners))
        return await asyncio.shield(self._selections[key])

    async def _select(
        self, part: Part, layer: Layer | None, excludes: tuple[str, ...], parents: bool, owners: bool
    ) -> Selection:
        source = part.source
        match source.kind:
            case SourceKind.INLINE:
                ((name, content),) = source.files
                return inline(name, content, mtime=None if self.epoch is None else self.epoch * 1_000_000_000)
            case SourceKind.REMOTE:
                return await self.fetch(part, excludes)
            case SourceKind.CONTEXT:
                tree = self.contexts[context_name(source.name)]
            case SourceKind.STAGE:
                if layer is not None:
                    await layer.digests  # its layers are in their place from then on
                tree = open_chain(paths(layer), self.contents, name="the stage")
            case _:
                assert_never(source.kind)
        return await asyncio.to_thread(
            select, tree, part.patterns, parents=parents, excludes=excludes, unpack=part.unpack, owners=owners
        )

    async def close(self) -> None:
        """Let go of what is still being looked at."""
        for task in self._selections.values():
            task.cancel()
        await asyncio.gather(*self._selections.values(), return_exceptions=True)


def _bound(mount: RunMount) -> Part:
    """A bind's source as something to be selected."""
    assert mount.source is not None
    return Part(mount.source, (mount.path,))


def _files(selection: Selection, prefix: str) -> dict[str, str]:
    """A short digest of each file; thousands of them take a while."""
    return digests((prefix + path, text) for path, text in selected(selection).items())
