"""The builder: options in, an image in the store out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from composer.build.bases import Bases
from composer.build.cache import Cache
from composer.build.cachemounts import CacheMounts
from composer.build.commit import commit, new_layers
from composer.build.dockerfile.instructions import Dockerfile
from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.scope import unused_args
from composer.build.dockerfile.stages import Stages, context_name, link
from composer.build.events import Report, StepEvent, StepStatus
from composer.build.files import ContentCache, Selection, Tree, open_context
from composer.build.housekeeping import Housekeeping
from composer.build.inputs import Inputs
from composer.build.lower import IMAGE_CONTEXTS, lower
from composer.build.operations import Graph, Part
from composer.build.options import BuildOptions
from composer.build.perform import Performer
from composer.build.solve import Solver
from composer.build.worker import Worker
from composer.clock import Clock
from composer.errors import ComposerError, UsageError
from composer.image.image import Image
from composer.image.ownership import Ownership
from composer.image.store import Store
from composer.oci.descriptor import Platform
from composer.oci.platform import parse_platform, this_platform
from composer.oci.reference import parse as parse_reference
from composer.paths import Paths
from composer.registry.pull import Puller, adding, first_failure

log = logging.getLogger("composer.build")

_TIDY_AFTER = 2.0
"""Seconds after a build: whoever builds in a loop is not to wait for the disk."""


class Builder:
    """Builds images; one for the whole engine, so that nothing is done twice at once."""

    def __init__(self, paths: Paths, store: Store, puller: Puller, worker: Worker, clock: Clock) -> None:
        self._paths = paths
        self._store = store
        self._ownership = Ownership.of_this_process()
        self._bases = Bases(store, puller)
        self.caches = CacheMounts(paths.build / "mounts", self._ownership)
        self._contents: ContentCache | None = None
        self._solver: Solver | None = None
        self._worker = worker
        self._clock = clock
        self._looking_after: asyncio.Task[None] | None = None

    @property
    def solver(self) -> Solver:
        """What the first build needs to have opened; nothing before that."""
        if self._solver is None:
            performer = Performer(self._worker, self.caches, self._ownership)
            cache = Cache(self._paths.build / "cache.db")
            self._solver = Solver(self._paths.build / "steps", self._store.snapshots, cache, performer, self._clock)
        return self._solver

    @property
    def housekeeping(self) -> Housekeeping:
        """What is left for the next builds."""
        return Housekeeping(self._store, self.solver.cache, self.caches, self._paths.data)

    @property
    def contents(self) -> ContentCache:
        """Digests of files that builds have read before."""
        if self._contents is None:
            self._contents = ContentCache(self._paths.build / "contents.db")
        return self._contents

    def sweep(self) -> None:
        """Delete what an engine that died was at, or a machine; to be called before any build."""
        self._store.snapshots.unsettled()
        if (self._paths.build / "steps").is_dir():
            self.solver.sweep()

    async def close(self) -> None:
        """Let go of the files; what was built is on record then."""
        if self._looking_after is not None:
            self._looking_after.cancel()
            await asyncio.gather(self._looking_after, return_exceptions=True)
        if self._solver is not None:
            await self._solver.close()
            self._solver.cache.close()
        if self._contents is not None:
            self._contents.close()

    async def build(self, options: BuildOptions, report: Report) -> Image:
        """Build an image, or find that it is there.

        Raises:
            BuildError: the Dockerfile is wrong, a step failed, a base image cannot be had; with the place in the file.
            ComposerError: anything else, such as a context that is not there.
        """
        context = await self._context(options)
        dockerfile = await asyncio.to_thread(_read, options, context)
        for unused in unused_args(dockerfile, options.args):
            report(StepEvent(-1, "", StepStatus.WARNING, detail=f"the build argument `{unused}` is not used"))
        for warning in dockerfile.warnings:
            report(StepEvent(-1, "", StepStatus.WARNING, detail=warning.message))
        platform = parse_platform(options.platform) if options.platform else this_platform()
        stages = link(
            dockerfile,
            args=options.args,
            build=this_platform(),
            platform=platform,
            target=options.target,
            contexts=options.contexts,
        )
        async with adding(self._store):
            graph = await self._lowered(stages, options, platform, report)
            trees = await asyncio.to_thread(self._trees, options, context)
            inputs = Inputs(options, dockerfile.source, trees, self.contents, self._unpack, self._fetch, graph.epoch)
            try:
                top = await self.solver.solve(graph, inputs, report)
                made = await new_layers(top)
            finally:
                await inputs.close()
            names = [parse_reference(tag) for tag in options.tags]
            image, new = await asyncio.to_thread(commit, self._store, graph, made, names)
        if new:
            self._look_after()
        return image

    def _look_after(self) -> None:
        """Some time after a build: have what it made on the disk, and the cache no larger than it may be."""
        if self._looking_after is None or self._looking_after.done():
            self._looking_after = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        await self._clock.sleep(_TIDY_AFTER)
        try:
            snapshots = self._store.snapshots
            await asyncio.to_thread(lambda: snapshots.settle(snapshots.unsettled()))
            await asyncio.to_thread(self.housekeeping.shrink)
        except (OSError, ComposerError) as error:
            log.warning("cannot look after the build cache: %s", error)

    async def _lowered(self, stages: Stages, options: BuildOptions, platform: Platform, report: Report) -> Graph:
        images: dict[tuple[str, str], Image] = {}
        source = stages.dockerfile.source
        while True:
            result = lower(stages, options, platform, images)
            if isinstance(result, Graph):
                return result
            first = -2 - len(images)
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = {
                        (wanted.reference, wanted.platform): group.create_task(
                            self._bases.resolve(wanted, first - number, options, platform, source, report)
                        )
                        for number, wanted in enumerate(result)
                    }
            except BaseExceptionGroup as errors:
                raise first_failure(errors) from errors
            images |= {key: task.result() for key, task in tasks.items()}

    async def _context(self, options: BuildOptions) -> Path:
        path = Path(options.context)
        if not path.is_absolute():
            raise UsageError(f"cannot build `{options.context}`: only directories can be built yet")
        return path

    def _trees(self, options: BuildOptions, context: Path) -> Mapping[str, Tree]:
        dockerfile = None if options.dockerfile_text is not None else context / options.dockerfile
        trees = {"": open_context(context, self.contents, dockerfile=dockerfile)}
        for name, place in options.contexts.items():
            if not place.startswith(IMAGE_CONTEXTS):
                trees[context_name(name)] = open_context(Path(place), self.contents, name=f"the context `{name}`")
        return trees

    async def _unpack(self, image: Image) -> None:
        if not self._store.unpacked(image):
            await asyncio.to_thread(self._store.unpack, image)

    async def _fetch(self, part: Part) -> Selection:
        raise UsageError(f"cannot fetch `{part.source.name}`")


def _read(options: BuildOptions, context: Path) -> Dockerfile:
    """The Dockerfile. Raises BuildError for one that is wrong, FilesError for one that cannot be read."""
    if options.dockerfile_text is not None:
        return parse(options.dockerfile_text, options.dockerfile)
    path = context / options.dockerfile
    try:
        return parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        where = "there is no such directory" if not context.is_dir() else "there is no such file"
        raise UsageError(
            f"cannot read the Dockerfile `{path}`: {where}", hint="check `build.context` and `build.dockerfile`"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the Dockerfile `{path}`: {(error.strerror or str(error)).lower()}") from error
