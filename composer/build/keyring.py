"""The keys of one graph's steps, found as cheaply as can be.

Most follow from the key below and the files of contexts. Where a step reads another stage, its key needs that stage's content;
but what is to be done there (the *recipe*) leads to the key that was found the last time, and nothing is run for it. Should
that key turn out to have no layer any more, `corrected` finds the true one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from composer.build import keys
from composer.build.cache import Cache
from composer.build.inputs import Inputs, Reading
from composer.build.layers import Layer
from composer.build.operations import BaseOperation, Graph, LayerOperation, SourceKind, Vertex, VertexId
from composer.errors import ComposerError


@dataclass(frozen=True, slots=True)
class Key:
    """A vertex's key, and the recipe that led to it, if one did."""

    value: str
    recipe: str = ""


class Keyring:
    """The keys of one graph while it is solved."""

    def __init__(
        self, graph: Graph, inputs: Inputs, cache: Cache, layer: Callable[[VertexId], asyncio.Task[Layer | None]]
    ) -> None:
        """`layer` begins to find the layer of a vertex, and runs steps for it if need be."""
        self._graph = graph
        self._inputs = inputs
        self._cache = cache
        self._layer = layer
        self._keys: dict[VertexId, asyncio.Task[Key]] = {}
        self._recipes: dict[VertexId, asyncio.Task[str]] = {}
        self._corrected: dict[VertexId, str] = {}
        self._fresh: dict[VertexId, bool] = {}
        self.aliases: dict[str, str] = {}
        """The recipes that were of use, and the keys they lead to."""

    def key(self, vertex: VertexId) -> Awaitable[Key]:
        """The key of a vertex; other stages are run for it only if it cannot be known otherwise."""
        return asyncio.shield(begun(self._keys, vertex, self._find))

    def recipe(self, vertex: VertexId) -> Awaitable[str]:
        """A key by what is to be done alone, for which nothing is ever run."""
        return asyncio.shield(begun(self._recipes, vertex, self._find_recipe))

    async def corrected(self, vertex: Vertex, operation: LayerOperation, recipe: str) -> str:
        """The key of a vertex by the content of the stages it reads, which are run if need be."""
        found = await self._by_content(vertex, operation, (await self.key(vertex.base)).value)
        self._cache.put_alias(recipe, found)
        self.aliases[recipe] = self._corrected[vertex.id] = found
        return found

    def known(self) -> dict[VertexId, str]:
        """Every key that was found so far."""
        found = {
            vertex: task.result().value
            for vertex, task in self._keys.items()
            if task.done() and not task.cancelled() and not task.exception()
        }
        return found | self._corrected

    def tasks(self) -> list[asyncio.Task[Any]]:
        """What may still be under way."""
        return [*self._keys.values(), *self._recipes.values()]

    async def _find(self, id_: VertexId) -> Key:
        vertex = self._graph[id_]
        operation = vertex.operation
        if isinstance(operation, BaseOperation):
            return Key(keys.base_key(operation))
        stages = [stage for reading in vertex.readings if (stage := stage_of(reading)) >= 0]
        if not stages:
            return Key(await self._by_content(vertex, operation, (await self.key(vertex.base)).value))
        recipe = await self.recipe(id_)
        known = "" if any(map(self._is_fresh, stages)) else self._cache.alias(recipe)
        if not known:
            for stage in stages:
                self._layer(stage)  # it will be needed: why wait for what is below
            return Key(await self.corrected(vertex, operation, recipe))
        self.aliases[recipe] = known
        return Key(known, recipe)

    async def _find_recipe(self, id_: VertexId) -> str:
        vertex = self._graph[id_]
        operation = vertex.operation
        if isinstance(operation, BaseOperation):
            return keys.base_key(operation)
        sources = [
            await (self.recipe(stage) if (stage := stage_of(one)) >= 0 else self._content(vertex, operation, one))
            for one in vertex.readings
        ]
        return keys.quick_key(operation, await self.recipe(vertex.base), sources, self._graph.epoch)

    async def _by_content(self, vertex: Vertex, operation: LayerOperation, below: str) -> str:
        contents = await asyncio.gather(*(self._content(vertex, operation, one) for one in vertex.readings))
        return keys.step_key(operation, below, contents, self._graph.epoch)

    async def _content(self, vertex: Vertex, operation: LayerOperation, reading: Reading) -> str:
        stage = stage_of(reading)
        layer = await asyncio.shield(self._layer(stage)) if stage >= 0 else None
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


def stage_of(reading: Reading) -> VertexId:
    """The vertex that something is read from, -1 where it is no stage."""
    source = reading.source
    return source.vertex if source is not None and source.kind is SourceKind.STAGE else -1


def begun(
    tasks: dict[VertexId, asyncio.Task[Any]], vertex: VertexId, work: Callable[[VertexId], Coroutine[Any, Any, Any]]
) -> asyncio.Task[Any]:
    """The task that does `work` for a vertex, begun unless it is."""
    if vertex not in tasks:
        tasks[vertex] = asyncio.create_task(work(vertex))
    return tasks[vertex]
