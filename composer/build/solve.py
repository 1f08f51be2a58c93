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
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from composer.build.cache import Cache, Record
from composer.build.clip import Clipped
from composer.build.events import Report, StepEvent, StepStatus
from composer.build.flights import Flights
from composer.build.inputs import Inputs, Reading
from composer.build.keyring import Keyring, begun, stage_of
from composer.build.layers import NOTHING, Digests, Layer, known
from composer.build.operations import BaseOperation, CopyOperation, Graph, LayerOperation, Vertex, VertexId
from composer.build.perform import Performer, Room
from composer.build.settling import Settling, in_words, remove
from composer.build.why import Making, cause
from composer.clock import Clock
from composer.errors import ComposerError
from composer.image.image import Image
from composer.image.removal import delete_tree
from composer.image.snapshot import Snapshots
from composer.oci.config import chain_ids
from composer.oci.digest import Digest
from composer.unbroken import whole


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


def together(several: Sequence[Solved]) -> Solved:
    """What came of several graphs, for those who look at their steps: there is no one root file system."""
    return Solved(
        None,
        tuple(key for each in several for key in each.keys),
        tuple(key for each in several for key in each.target_keys),
        tuple(alias for each in several for alias in each.aliases),
    )


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
        self.settling = Settling(snapshots, cache)
        self._builds = 0

    async def solve(self, graph: Graph, inputs: Inputs, report: Report) -> Solved:
        """The root file system of the graph's target.

        Raises what the step that failed raised; no step of this build runs then, but for those that other builds wait for.
        """
        self._builds += 1
        build = _Build(self, graph, inputs, report)
        try:
            return await build.solved()
        finally:
            await whole(self._end(build))

    async def _end(self, build: _Build) -> None:
        try:
            await build.end()
            await self.performer.quiet()
        finally:
            self._builds -= 1
            if not self._builds:
                self.settling.clear()

    async def close(self) -> None:
        """To be called when nothing is built any more."""
        await self.settling.done()
        self.settling.clear()
        await self.settling.done()

    def sweep(self) -> None:
        """Delete what an engine that died was at; to be called before any build."""
        remove(list(self.steps.iterdir()) if self.steps.is_dir() else [])
        recorded = {record.chain for record in self.cache.all()}
        for chain in self.snapshots.all():
            if self.snapshots.is_kept(chain) and str(chain) not in recorded:
                self.snapshots.release(chain)


class _Build:
    """One graph being solved."""

    def __init__(self, solver: Solver, graph: Graph, inputs: Inputs, report: Report) -> None:
        self._solver = solver
        self._graph = graph
        self._inputs = inputs
        self._report = report
        self._layers: dict[VertexId, asyncio.Task[Layer | None]] = {}
        self._keyring = Keyring(graph, inputs, solver.cache, lambda vertex: begun(self._layers, vertex, self._make))

    async def solved(self) -> Solved:
        """What comes of it."""
        top = await self._layer(self._graph.target)
        known_keys = self._keyring.known()
        steps = [vertex.id for vertex in self._graph.vertices if not isinstance(vertex.operation, BaseOperation)]
        own, vertex = [], self._graph[self._graph.target]
        while vertex.base >= 0:
            own.append(vertex.id)
            vertex = self._graph[vertex.base]
        return Solved(
            top,
            tuple(known_keys[step] for step in steps if step in known_keys),
            tuple(known_keys[step] for step in reversed(own)),
            tuple(self._keyring.aliases.items()),
        )

    async def end(self) -> None:
        """Let go of whatever is still under way."""
        tasks: list[asyncio.Task[Any]] = [*self._layers.values(), *self._keyring.tasks()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _layer(self, vertex: VertexId) -> Layer | None:
        """The root file system after a vertex, None for an empty one; nothing for no vertex."""
        return await asyncio.shield(begun(self._layers, vertex, self._make)) if vertex >= 0 else None

    async def _make(self, id_: VertexId) -> Layer | None:
        vertex = self._graph[id_]
        operation = vertex.operation
        if isinstance(operation, BaseOperation):
            return await self._base(vertex, operation.image) if operation.image else None
        found_key, below = await asyncio.gather(self._keyring.key(id_), self._layer(vertex.base))
        key = found_key.value
        found = None if vertex.fresh else await self._found(key, below)
        if found is None and found_key.recipe:
            # What it reads is not what the key was once found for, for all we know: the stage has to be run now anyway.
            key = await self._keyring.corrected(vertex, operation, found_key.recipe)
            found = None if vertex.fresh else await self._found(key, below)
        if found is not None:
            self._report(StepEvent(vertex.id, vertex.name, StepStatus.CACHED))
            return found
        # Before others may join: they must not depend on what this build asks for, since it may give up.
        sources = {reading: await self._layer(stage_of(reading)) for reading in vertex.readings}
        await self._looked_through(vertex, operation, sources)
        run = _Run(self._solver, vertex, operation, key, below, sources, self._inputs)
        why = await self._why(vertex, operation, sources)

        def listen(event: StepEvent) -> None:
            self._report(replace(event, step=vertex.id, name=vertex.name))

        # A step that is to be run again is nobody else's.
        flight = secrets.token_hex(8) if vertex.fresh else key
        try:
            return await self._solver.flights.join(flight, lambda report: run.carried_out(report, why), listen)
        except ComposerError as error:
            # Here and not where it failed: whoever joined has it in another Dockerfile.
            raise self._inputs.explain(vertex, error) from error

    async def _base(self, vertex: Vertex, image: Image) -> Layer | None:
        await self._inputs.unpack(image)
        top: Layer | None = None
        diff_ids = image.config.diff_ids
        for diff_id, chain, path in zip(diff_ids, chain_ids(diff_ids), reversed(image.layers), strict=True):
            top = known(top, path, 0, Digests(chain, diff_id), made=False)
        self._report(StepEvent(vertex.id, vertex.name, StepStatus.CACHED))
        return top

    async def _found(self, key: str, below: Layer | None) -> Layer | None:
        """What a step with this key made on what is below."""
        live = self._solver.settling.live.get(key)
        if live is not None and _same(live.below, below):
            return live
        record = self._solver.cache.get(key)
        if record is None:
            return None
        chain = (await below.digests if below else NOTHING).chain
        if record.below != str(chain or ""):
            return None
        digests = _digests_of(record)
        path = None
        if digests.diff_id is not None and digests.chain is not None:
            if not self._solver.snapshots.has(digests.chain):
                return None
            path = self._solver.snapshots.path(digests.chain)
        self._solver.cache.use([record], self._solver.clock.now())
        return known(below, path, record.created, digests, made=True)

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
        now = await self._inputs.making(operation, (await self._keyring.key(vertex.base)).value, sources)
        before = cache.making(place)
        cache.put_making(place, now.packed())
        return cause(Making.unpacked(before) if before else None, now, asked=vertex.fresh)


@dataclass(frozen=True, slots=True)
class _Run:
    """A step to be carried out."""

    solver: Solver
    vertex: Vertex
    operation: LayerOperation
    key: str
    below: Layer | None
    sources: Mapping[Reading, Layer | None]
    inputs: Inputs

    async def carried_out(self, report: Report, why: str) -> Layer:
        """The layer that it makes. Raises what the step raises."""
        solver, vertex, began = self.solver, self.vertex, time.monotonic()

        def tell(status: StepStatus, output: str = "", detail: str = "") -> None:
            seconds = 0.0 if status in (StepStatus.STARTED, StepStatus.OUTPUT) else time.monotonic() - began
            report(StepEvent(vertex.id, vertex.name, status, seconds, output, detail))

        tell(StepStatus.STARTED, detail=why)
        clipped = Clipped(lambda text: tell(StepStatus.OUTPUT, text))
        place = self.inputs.text.location(vertex.span.first) if vertex.span else None
        where = f"{Path(place.file).name}:{place.line}: " if place else ""
        room = Room(solver.steps / f"step-{secrets.token_hex(6)}")
        try:
            await solver.performer.perform(
                self.operation,
                room,
                self.below,
                self.sources,
                self.inputs,
                clipped.feed,
                lambda text: tell(StepStatus.WARNING, detail=f"{where}{text}"),
            )
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(delete_tree, room.directory))
            told = in_words(error, vertex.name)
            if isinstance(told, ComposerError):
                tell(StepStatus.FAILED, detail=told.message)
                if told is not error:
                    raise told from error
                raise
            tell(StepStatus.CANCELLED if isinstance(error, asyncio.CancelledError) else StepStatus.FAILED)
            raise
        layer = self._made(room, time.monotonic() - began)
        tell(StepStatus.DONE)
        return layer

    def _made(self, room: Room, seconds: float) -> Layer:
        with os.scandir(room.upper) as entries:
            empty = next(entries, None) is None
        epoch = self.inputs.epoch
        created = time.time_ns() if epoch is None else epoch * 1_000_000_000
        digests: asyncio.Future[Digests] = asyncio.get_running_loop().create_future()
        layer = Layer(self.below, None if empty else room.upper, created, digests)
        record = Record(self.key, "", "", "", 0, created, self.solver.clock.now(), self.vertex.name, seconds)
        self.solver.settling.begin(layer, room, record)
        return layer


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
