"""From a graph to its target's root file system: what is cached is found, what is not is run, each once.

Theory of operation. A vertex is asked for its layer; it asks those below it, finds its key, and looks up what a step with
this key made. A hit counts only if it lies on the very chain that is below now: so a step that was run anew and made
something else is never overlooked, and one that made the same again costs nothing further up. Vertices that do not depend
on each other are asked at the same time, and steps that several builds want are run once (`flights`).

A step that ended is used at once; its digest follows (`layers`). It is on record when its snapshot is in place: an engine
that dies before runs that step again, and no other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from composer.build import keys
from composer.build.cache import Cache, Record
from composer.build.clip import Clipped
from composer.build.events import Report, StepEvent, StepStatus
from composer.build.flights import Flights
from composer.build.inputs import Inputs, Reading
from composer.build.layers import Digests, Layer, known
from composer.build.operations import BaseOperation, CopyOperation, Graph, LayerOperation, SourceKind, Vertex, VertexId
from composer.build.perform import Performer, Room
from composer.build.why import Making, cause
from composer.clock import Clock
from composer.errors import ComposerError, HostError
from composer.image.image import Image
from composer.image.removal import delete_tree
from composer.image.snapshot import Snapshots
from composer.oci.config import chain_id, chain_ids
from composer.oci.digest import Digest

log = logging.getLogger("composer.build")

_NOTHING = Digests(None, None)


class Solver:
    """Solves graphs; one for the whole engine."""

    def __init__(self, steps: Path, snapshots: Snapshots, cache: Cache, performer: Performer, clock: Clock) -> None:
        """`steps` is a directory for steps at work, on the file system of the snapshots."""
        self.steps = steps
        self.snapshots = snapshots
        self.cache = cache
        self.performer = performer
        self.clock = clock
        self.flights: Flights[Layer] = Flights()
        self.live: dict[str, Layer] = {}
        """Layers that are not on record yet, by key."""
        self._builds = 0
        self._settling: set[asyncio.Task[None]] = set()
        self._leftovers: list[Path] = []

    async def solve(self, graph: Graph, inputs: Inputs, report: Report) -> Solved:
        """The root file system of the graph's target.

        Raises what the step that failed raised; no step of this build runs then, but for those that other builds wait for.
        """
        self._builds += 1
        build = _Build(self, graph, inputs, report)
        try:
            top = await build.layer(graph.target)
            return build.solved(top)
        finally:
            await build.end()
            await self.performer.quiet()
            self._builds -= 1
            if not self._builds and self._leftovers:
                gone, self._leftovers = self._leftovers, []
                await asyncio.to_thread(_remove, gone)

    async def settled(self) -> None:
        """Return when every layer that was made so far is on record."""
        await asyncio.gather(*self._settling, return_exceptions=True)

    async def close(self) -> None:
        """To be called when nothing is built any more."""
        await self.settled()
        await asyncio.to_thread(_remove, self._leftovers)

    def sweep(self) -> None:
        """Delete what an engine that died was at; to be called before any build."""
        _remove(list(self.steps.iterdir()) if self.steps.is_dir() else [])
        recorded = {record.chain for record in self.cache.all()}
        for chain in self.snapshots.all():
            if self.snapshots.is_kept(chain) and str(chain) not in recorded:
                self.snapshots.release(chain)

    def settle(self, layer: Layer, room: Room, record: Record) -> None:
        """Begin to find the digest of a layer that was just made."""
        self.live[record.key] = layer
        task = asyncio.create_task(self._settle(layer, room, record))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, layer: Layer, room: Room, record: Record) -> None:
        try:
            digests = await self._digests(layer, room)
        except BaseException as error:
            layer.digests.set_exception(_in_words(error, record.name))
            layer.digests.exception()  # told to whoever needs the digest, and to nobody else
            if not isinstance(error, ComposerError | OSError):
                raise
        else:
            layer.digests.set_result(digests)
            self.cache.put(
                replace(record, chain=str(digests.chain or ""), diff_id=str(digests.diff_id or ""), size=digests.size)
            )
        finally:
            if self.live.get(record.key) is layer:
                del self.live[record.key]
            if layer.path is not None and layer.path.is_relative_to(room.directory):
                self._leftovers.append(room.directory)
            else:
                await asyncio.to_thread(delete_tree, room.directory)

    async def _digests(self, layer: Layer, room: Room) -> Digests:
        if layer.path is None:
            return replace(await layer.below.digests if layer.below else _NOTHING, diff_id=None, size=0)
        diff_id, size = await asyncio.to_thread(self.snapshots.measure, layer.path)
        below = await layer.below.digests if layer.below else _NOTHING
        chain = chain_id(below.chain, diff_id)
        await layer.unheld()
        if self.snapshots.place(room.layer, chain, size):
            layer.path = self.snapshots.path(chain)
        return Digests(chain, diff_id, size)


@dataclass(frozen=True, slots=True)
class Solved:
    """What came of a graph."""

    top: Layer | None
    """The target's root file system, None for an empty one."""
    keys: tuple[str, ...]
    """Of every step whose key was of interest, in the graph's order."""
    target_keys: tuple[str, ...]
    """Of the steps that the target's layers came from, from the bottom up."""
    aliases: tuple[tuple[str, str], ...]


class _Build:
    """One graph being solved."""

    def __init__(self, solver: Solver, graph: Graph, inputs: Inputs, report: Report) -> None:
        self._solver = solver
        self._graph = graph
        self._inputs = inputs
        self._report = report
        self._layers: dict[VertexId, asyncio.Task[Layer | None]] = {}
        self._keys: dict[VertexId, asyncio.Task[_Key]] = {}
        self._recipes: dict[VertexId, asyncio.Task[str]] = {}
        self._fresh: dict[VertexId, bool] = {}
        self._corrected: dict[VertexId, str] = {}
        """Keys that turned out to be others than the quick ones said."""
        self._aliases: dict[str, str] = {}

    def layer(self, vertex: VertexId) -> Awaitable[Layer | None]:
        """The root file system after a vertex, None for an empty one."""
        return _once(self._layers, vertex, self._make)

    def key(self, vertex: VertexId) -> Awaitable[_Key]:
        """The key of a vertex; other stages are run for it only if it cannot be known otherwise."""
        return _once(self._keys, vertex, self._find_key)

    def solved(self, top: Layer | None) -> Solved:
        """What came of it, once the target is there."""
        known = {
            vertex: task.result().value
            for vertex, task in self._keys.items()
            if task.done() and not task.cancelled() and not task.exception()
        } | self._corrected
        steps = [vertex.id for vertex in self._graph.vertices if not isinstance(vertex.operation, BaseOperation)]
        own, vertex = [], self._graph[self._graph.target]
        while vertex.base >= 0:
            own.append(vertex.id)
            vertex = self._graph[vertex.base]
        return Solved(
            top,
            tuple(known[step] for step in steps if step in known),
            tuple(known[step] for step in reversed(own)),
            tuple(self._aliases.items()),
        )

    def recipe(self, vertex: VertexId) -> Awaitable[str]:
        """A key by what is to be done alone, for which nothing is ever run: of stages it knows no content."""
        return _once(self._recipes, vertex, self._find_recipe)

    async def end(self) -> None:
        """Let go of whatever is still under way."""
        tasks: list[asyncio.Task[Any]] = [*self._layers.values(), *self._keys.values(), *self._recipes.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, id_: VertexId) -> Layer | None:
        vertex = self._graph[id_]
        operation = vertex.operation
        if isinstance(operation, BaseOperation):
            return await self._base(vertex, operation.image) if operation.image else None
        found_key, below = await asyncio.gather(self.key(id_), self.layer(vertex.base))
        found = None if vertex.fresh else await self._found(found_key.value, below)
        if found is None and found_key.quick:
            # What it reads is not what the key was once found for, for all we know: the stage has to be run now anyway.
            found_key = await self._looked_at(vertex, operation, found_key.quick)
            found = None if vertex.fresh else await self._found(found_key.value, below)
            self._corrected[id_] = found_key.value
        key = found_key.value
        if found is not None:
            self._tell(vertex, StepStatus.CACHED)
            return found

        def listen(event: StepEvent) -> None:
            self._report(replace(event, step=vertex.id, name=vertex.name))

        # Before others may join: they must not depend on what this build asks for, since it may give up.
        sources = {reading: await self._layer_of(reading) for reading in vertex.readings}
        await self._looked_through(vertex, operation, sources)
        why = await self._why(vertex, operation, sources)

        async def work(report: Report) -> Layer:
            return await self._run(vertex, operation, key, below, sources, report, why)

        # A step that is to be run again is nobody else's.
        return await self._solver.flights.join(secrets.token_hex(8) if vertex.fresh else key, work, listen)

    async def _base(self, vertex: Vertex, image: Image) -> Layer | None:
        await self._inputs.unpack(image)
        top: Layer | None = None
        diff_ids = image.config.diff_ids
        for diff_id, chain, path in zip(diff_ids, chain_ids(diff_ids), reversed(image.layers), strict=True):
            top = known(top, path, 0, Digests(chain, diff_id), made=False)
        self._tell(vertex, StepStatus.CACHED)
        return top

    async def _found(self, key: str, below: Layer | None) -> Layer | None:
        """What a step with this key made on what is below."""
        live = self._solver.live.get(key)
        if live is not None and _same(live.below, below):
            return live
        record = self._solver.cache.get(key)
        if record is None:
            return None
        chain = (await below.digests if below else _NOTHING).chain
        digests = _digests_of(record)
        path = None
        if digests.diff_id is None:
            if digests.chain != chain:
                return None
        else:
            if digests.chain != chain_id(chain, digests.diff_id) or not self._solver.snapshots.has(digests.chain):
                return None
            path = self._solver.snapshots.path(digests.chain)
        self._solver.cache.use([record], self._solver.clock.now())
        return known(below, path, record.created, digests, made=True)

    async def _run(
        self,
        vertex: Vertex,
        operation: LayerOperation,
        key: str,
        below: Layer | None,
        sources: Mapping[Reading, Layer | None],
        report: Report,
        why: str,
    ) -> Layer:
        solver, began = self._solver, time.monotonic()

        def tell(status: StepStatus, output: str = "", detail: str = "") -> None:
            seconds = 0.0 if status in (StepStatus.STARTED, StepStatus.OUTPUT) else time.monotonic() - began
            report(StepEvent(vertex.id, vertex.name, status, seconds, output, detail))

        clipped = Clipped(lambda text: tell(StepStatus.OUTPUT, text))
        tell(StepStatus.STARTED, detail=why)
        room = Room(solver.steps / f"step-{secrets.token_hex(6)}")
        try:
            await solver.performer.perform(operation, room, below, sources, self._inputs, clipped.feed)
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(delete_tree, room.directory))
            told = _in_words(error, vertex.name)
            if isinstance(told, ComposerError):
                tell(StepStatus.FAILED, detail=told.message)
                raise self._inputs.explain(vertex, told) from error
            tell(StepStatus.CANCELLED if isinstance(error, asyncio.CancelledError) else StepStatus.FAILED)
            raise
        with os.scandir(room.upper) as entries:
            empty = next(entries, None) is None
        created = time.time_ns() if self._graph.epoch is None else self._graph.epoch * 1_000_000_000
        layer = Layer(below, None if empty else room.upper, created, asyncio.get_running_loop().create_future())
        seconds = time.monotonic() - began
        record = Record(key, "", "", 0, created, solver.clock.now(), vertex.name, seconds)
        solver.settle(layer, room, record)
        tell(StepStatus.DONE)
        return layer

    async def _looked_through(
        self, vertex: Vertex, operation: LayerOperation, sources: Mapping[Reading, Layer | None]
    ) -> None:
        """Have found all files that a COPY is about."""
        if isinstance(operation, CopyOperation):
            try:
                for part in operation.parts:
                    await self._inputs.select(operation, part, sources[part])
            except ComposerError as error:
                raise self._inputs.explain(vertex, error) from error

    async def _why(self, vertex: Vertex, operation: LayerOperation, sources: Mapping[Reading, Layer | None]) -> str:
        """Why a step is run; what it is made of now is remembered for the next time."""
        cache, place = self._solver.cache, f"{self._inputs.origin}\0{vertex.place}"
        now = await self._inputs.making(operation, (await self.key(vertex.base)).value, sources)
        before = cache.making(place)
        cache.put_making(place, now.packed())
        return cause(Making.unpacked(before) if before else None, now, asked=vertex.fresh)

    async def _layer_of(self, reading: Reading) -> Layer | None:
        """The stage that something is read from; None for what is from elsewhere."""
        stage = _stage_of(reading)
        return await self.layer(stage) if stage >= 0 else None

    async def _find_key(self, id_: VertexId) -> _Key:
        """The key of a vertex, from what is known of its inputs where they are stages: these need not be run for it."""
        vertex = self._graph[id_]
        operation = vertex.operation
        if isinstance(operation, BaseOperation):
            return _Key(keys.base_key(operation))
        stages = [stage for reading in vertex.readings if (stage := _stage_of(reading)) >= 0]
        if not stages:
            return _Key(await self._by_content(vertex, operation, (await self.key(vertex.base)).value))
        quick = await self.recipe(id_)
        known_key = "" if any(map(self._is_fresh, stages)) else self._solver.cache.alias(quick)
        if not known_key:
            for stage in stages:
                _begun(self._layers, stage, self._make)  # it will be needed: why wait for what is below
            return await self._looked_at(vertex, operation, quick)
        self._aliases[quick] = known_key
        return _Key(known_key, quick)

    async def _find_recipe(self, id_: VertexId) -> str:
        vertex = self._graph[id_]
        operation = vertex.operation
        if isinstance(operation, BaseOperation):
            return keys.base_key(operation)
        sources = [await self._source_recipe(vertex, operation, reading) for reading in vertex.readings]
        return keys.quick_key(operation, await self.recipe(vertex.base), sources, self._graph.epoch)

    async def _source_recipe(self, vertex: Vertex, operation: LayerOperation, reading: Reading) -> str:
        stage = _stage_of(reading)
        return await (self.recipe(stage) if stage >= 0 else self._content(vertex, operation, reading))

    async def _looked_at(self, vertex: Vertex, operation: LayerOperation, quick: str) -> _Key:
        """The key of a vertex by the content of the stages it reads, which are run if need be."""
        key = await self._by_content(vertex, operation, (await self.key(vertex.base)).value)
        self._solver.cache.put_alias(quick, key)
        self._aliases[quick] = key
        return _Key(key)

    async def _by_content(self, vertex: Vertex, operation: LayerOperation, below: str) -> str:
        contents = await asyncio.gather(*(self._content(vertex, operation, one) for one in vertex.readings))
        return keys.step_key(operation, below, contents, self._graph.epoch)

    async def _content(self, vertex: Vertex, operation: LayerOperation, reading: Reading) -> str:
        layer = await self._layer_of(reading)
        try:
            return await self._inputs.digest(operation, reading, layer)
        except ComposerError as error:
            raise self._inputs.explain(vertex, error) from error

    def _is_fresh(self, id_: VertexId) -> bool:
        """Whether anything that leads to a vertex is to be run again."""
        if id_ not in self._fresh:
            vertex = self._graph[id_]
            self._fresh[id_] = vertex.fresh or any(self._is_fresh(other) for other in vertex.inputs)
        return self._fresh[id_]

    def _tell(self, vertex: Vertex, status: StepStatus) -> None:
        self._report(StepEvent(vertex.id, vertex.name, status))


@dataclass(frozen=True, slots=True)
class _Key:
    """A vertex's key, and the quick one that led to it, if that did."""

    value: str
    quick: str = ""


def _stage_of(reading: Reading) -> VertexId:
    """The vertex that something is read from, -1 where it is no stage."""
    source = reading.source
    return source.vertex if source is not None and source.kind is SourceKind.STAGE else -1


def _once(
    tasks: dict[VertexId, asyncio.Task[Any]], vertex: VertexId, work: Callable[[VertexId], Coroutine[Any, Any, Any]]
) -> Awaitable[Any]:
    return asyncio.shield(_begun(tasks, vertex, work))


def _begun(
    tasks: dict[VertexId, asyncio.Task[Any]], vertex: VertexId, work: Callable[[VertexId], Coroutine[Any, Any, Any]]
) -> asyncio.Task[Any]:
    if vertex not in tasks:
        tasks[vertex] = asyncio.create_task(work(vertex))
    return tasks[vertex]


def _same(one: Layer | None, other: Layer | None) -> bool:
    """Whether two root file systems are the same, as far as is known now."""
    if one is None or other is None or one is other:
        return one is other
    return one.settled is not None and other.settled is not None and one.settled.chain == other.settled.chain


def _digests_of(record: Record) -> Digests:
    return Digests(
        Digest.parse(record.chain) if record.chain else None,
        Digest.parse(record.diff_id) if record.diff_id else None,
        record.size,
    )


def _in_words(error: BaseException, name: str) -> BaseException:
    if isinstance(error, OSError):
        return HostError(
            f"cannot keep what `{name}` made: {(error.strerror or str(error)).lower()}",
            hint="free some space with `compose system prune`, or move the data directory with COMPOSER_DATA",
        )
    return error


def _remove(directories: list[Path]) -> None:
    for directory in directories:
        delete_tree(directory)
