"""The builder: options in, an image in the store out."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from composer.build.bases import Bases
from composer.build.cache import Cache
from composer.build.cachemounts import CacheMounts
from composer.build.commit import commit, new_layers
from composer.build.contexts import BuildSources, Sources
from composer.build.dockerfile.problems import did_you_mean
from composer.build.dockerfile.scope import declared_args, unused_args
from composer.build.dockerfile.stages import Stages, link
from composer.build.events import Report, StepEvent, StepStatus
from composer.build.exchange.exchange import Exchange, inline_document
from composer.build.files import ContentCache, FilesError, Reason
from composer.build.housekeeping import Housekeeping
from composer.build.inputs import Inputs
from composer.build.layers import Digests, Layer
from composer.build.lower import lower
from composer.build.operations import Graph
from composer.build.options import BuildOptions
from composer.build.perform import Performer
from composer.build.solve import Solved, Solver, together
from composer.build.worker import Worker
from composer.clock import Clock
from composer.errors import ComposerError, first_failure
from composer.image.image import Image
from composer.image.ownership import Ownership
from composer.image.store import Store
from composer.oci.platform import parse_platform, this_platform
from composer.oci.reference import parse as parse_reference
from composer.paths import Paths
from composer.registry.access import Access
from composer.registry.layers import adding
from composer.registry.pull import Puller
from composer.runtime.emulation import obstacle, runs_here
from composer.unbroken import unbroken

log = logging.getLogger("composer.build")

_ATTEMPTS = 4
_APART = 1_000_000
"""More steps than a build has."""
_TIDY_AFTER = 2.0
"""Seconds after a build: whoever builds in a loop is not to wait for the disk."""


class Builder:
    """Builds images; one for the whole engine, so that nothing is done twice at once."""

    def __init__(self, paths: Paths, store: Store, puller: Puller, worker: Worker, clock: Clock) -> None:
        self._paths = paths
        self._store = store
        self._ownership = Ownership.of_this_process()
        self._bases = Bases(store, puller)
        self._exchange = Exchange(store, puller, clock)
        self._worker = worker
        self._clock = clock
        self._caches = CacheMounts(paths.build / "mounts", self._ownership)
        self._sources: Sources | None = None
        self._solver: Solver | None = None
        self._builds = 0
        self._tidying: asyncio.Task[None] | None = None

    @property
    def solver(self) -> Solver:
        """What keeps the cache; opened for the first who asks."""
        if self._solver is None:
            performer = Performer(self._worker, self._caches, self._ownership)
            cache = Cache(self._paths.build / "cache.db")
            self._solver = Solver(self._paths.build / "steps", self._store.snapshots, cache, performer, self._clock)
        return self._solver

    @property
    def sources(self) -> Sources:
        """What knows files and servers; opened for the first who asks."""
        if self._sources is None:
            self._sources = Sources(self._paths.build, self._ownership, self._clock)
        return self._sources

    @property
    def contents(self) -> ContentCache:
        """Digests of files that builds have read before."""
        return self.sources.contents

    @property
    def housekeeping(self) -> Housekeeping:
        """What is left for the next builds."""
        return Housekeeping(self._store, self.solver.cache, self._caches, self.sources.remotes, self._paths.data)

    def sweep(self) -> None:
        """Delete what an engine that died was at, or a machine; to be called before any build."""
        self._store.snapshots.unsettled()
        if (self._paths.build / "steps").is_dir():
            self.solver.sweep()

    async def close(self) -> None:
        """Let go of the files; what was built is on record then."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        if self._solver is not None:
            await self._solver.close()
            self._solver.cache.close()
        if self._sources is not None:
            await self._sources.close()

    async def build(self, options: BuildOptions, report: Report) -> Image:
        """Build an image, or find that it is there.

        Raises:
            BuildError: the Dockerfile is wrong, a step failed, a base image cannot be had; with the place in the file.
            ComposerError: anything else, such as a context that is not there.
        """
        self._builds += 1
        try:
            async with adding(self._store):
                if options.platforms:
                    image, solved = await self._each(options, report)
                else:
                    image, solved = await self._build(options, report)
                if options.cache_to:
                    access = await asyncio.to_thread(Access.of, options.surroundings)
                    await self.solver.settling.done()
                    await self._exchange.give(options, self.solver.cache, solved, access, report)
            return image
        finally:
            self._builds -= 1
            if not self._builds:
                await self.sources.disconnect()

    async def _each(self, options: BuildOptions, report: Report) -> tuple[Image, Solved]:
        """An index of what is built for each platform, at once; the image for this machine is what comes back."""
        warned: set[str] = set()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        self._build(
                            replace(options, platform=platform, platforms=(), tags=()),
                            _of(platform, number, report, warned),
                        )
                    )
                    for number, platform in enumerate(options.platforms)
                ]
        except BaseExceptionGroup as errors:
            raise first_failure(errors) from errors
        made = [task.result() for task in tasks]
        names = [parse_reference(tag) for tag in options.tags]
        image = await unbroken(self._store.add_index, [each for each, _ in made], names)
        return image, together([solved for _, solved in made])

    async def _build(self, options: BuildOptions, report: Report) -> tuple[Image, Solved]:
        """One platform's. To be called while `Store.adding`."""
        sources = await self.sources.of(options)
        stages = await self._linked(sources, report)
        access, cache = sources.reach.access, self.solver.cache
        if options.cache_from and not options.no_cache:
            await self._exchange.take(options, cache, access, report)
        graph = await self._lowered(stages, options, report)
        solved, made = await self._solved(graph, stages, sources, report)
        names = [parse_reference(tag) for tag in options.tags]
        inline = inline_document(options.cache_to, options.args.items(), cache, solved)
        image, new = await unbroken(commit, self._store, graph, made, names, inline)
        if new:
            self._tidy_later()
        return image, solved

    async def _solved(
        self, graph: Graph, stages: Stages, sources: BuildSources, report: Report
    ) -> tuple[Solved, list[tuple[Layer, Digests]]]:
        """What the steps came to, and their layers.

        A file that is saved while steps before its COPY run is not what it was when the build began: then contexts are
        looked at anew, and the steps that have ended are cached.
        """
        for attempts in reversed(range(_ATTEMPTS)):
            inputs = Inputs(
                sources.options,
                stages.dockerfile.source,
                await sources.trees(anew=attempts < _ATTEMPTS - 1),
                sources.contents,
                self._unpack,
                sources.fetch,
                graph.epoch,
            )
            try:
                solved = await self.solver.solve(graph, inputs, report)
                return solved, await new_layers(solved.top)
            except ComposerError as error:
                path = _changed_meanwhile(error)
                if not attempts or not path:
                    raise
                report(
                    StepEvent(
                        -1, "", StepStatus.WARNING, detail=f"`{path}` changed while it was being copied: once more"
                    )
                )
            finally:
                await inputs.close()
        raise AssertionError("the last attempt returns or raises")

    async def _linked(self, sources: BuildSources, report: Report) -> Stages:
        options = sources.options
        dockerfile = await asyncio.to_thread(sources.dockerfile)
        for unused in unused_args(dockerfile, options.args):
            near = did_you_mean(unused, declared_args(dockerfile) - options.args.keys())
            said = f"the build argument `{unused}` is not used{f': {near}' if near else ''}"
            report(StepEvent(-1, "", StepStatus.WARNING, detail=said))
        for warning in dockerfile.warnings:
            report(StepEvent(-1, "", StepStatus.WARNING, detail=warning.message))
        return link(
            dockerfile,
            args=options.args,
            build=this_platform(),
            platform=parse_platform(options.platform) if options.platform else this_platform(),
            target=options.target,
            contexts=options.contexts,
        )

    async def _lowered(self, stages: Stages, options: BuildOptions, report: Report) -> Graph:
        """The graph, once all images are there that it says something about."""
        images: dict[tuple[str, str], Image] = {}
        platform = parse_platform(options.platform) if options.platform else this_platform()
        source = stages.dockerfile.source
        while True:
            result = lower(stages, options, platform, images, _obstacle)
            if isinstance(result, Graph):
                for warning in result.warnings:
                    report(StepEvent(-1, "", StepStatus.WARNING, detail=f"{source.filename}, {warning}"))
                return result
            first = -2 - len(images)
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = {
                        (wanted.reference, wanted.platform): group.create_task(
                            self._bases.resolve(wanted, first - number, options, platform, stages, report)
                        )
                        for number, wanted in enumerate(result)
                    }
            except BaseExceptionGroup as errors:
                raise first_failure(errors) from errors
            images |= {key: task.result() for key, task in tasks.items()}

    async def _unpack(self, image: Image) -> None:
        if not self._store.unpacked(image):
            await unbroken(self._store.unpack, image)

    def _tidy_later(self) -> None:
        """Some time after a build: have what it made on the disk, and the cache no larger than it may be."""
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        await self._clock.sleep(_TIDY_AFTER)
        try:
            snapshots = self._store.snapshots
            await asyncio.to_thread(lambda: snapshots.settle(snapshots.unsettled()))
            await asyncio.to_thread(self.housekeeping.shrink)
            await asyncio.to_thread(self.contents.forget)
        except (OSError, ComposerError) as error:
            log.warning("cannot look after the build cache: %s", error)


def _obstacle(platform: str) -> tuple[str, str] | None:
    return None if runs_here(platform) else obstacle(platform)


def _of(platform: str, number: int, report: Report, warned: set[str]) -> Report:
    """`report` for one of several platforms: its steps have the platform in front, and numbers of their own.

    What concerns several of them is told once.
    """

    def told(event: StepEvent) -> None:
        if event.status is StepStatus.WARNING:
            if event.detail not in warned:
                warned.add(event.detail)
                report(event)
            return
        step = event.step + _APART * number * (1 if event.step >= 0 else -1)
        name = f"[{platform} {event.name[1:]}" if event.name.startswith("[") else f"[{platform}] {event.name}"
        report(replace(event, step=step, name=name))

    return told


def _changed_meanwhile(error: BaseException | None) -> str:
    """The path that a build failed for because it changed under it, "" where it failed for something else."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:  # an error may be raised from itself
        if isinstance(error, FilesError) and error.reason is Reason.CHANGED:
            return error.path
        seen.append(error)
        error = error.__cause__
    return ""
