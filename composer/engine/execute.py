"""Carries a plan out: walks its graph in parallel, calls one driver for each node, and tells what happens.

No decision is made here. A node begins when all it needs is done. When one fails, what depends on it is left out and the
rest goes on to its end; then the first error is raised, the others as its notes. A wait that is not required only warns.

Cancelled (Ctrl-C), nothing new begins, waits, pulls, builds and pushes end at once, and drivers that are at work are given the
time to finish, so that nothing is left half done; cancelled again, they are cancelled too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import assert_never

from composer.api.messages import Event
from composer.clock import Clock
from composer.engine.drivers import Drivers
from composer.engine.plan import (
    AwaitCondition,
    BuildImage,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    Node,
    Operation,
    Plan,
    PullImage,
    PushImage,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from composer.engine.progress import Progress
from composer.errors import ComposerError

PARALLEL = 32
"""How many drivers work at a time unless `--parallel` says otherwise; waits do not count."""


async def execute(
    plan: Plan, drivers: Drivers, emit: Callable[[Event], None], clock: Clock, parallel: int = PARALLEL
) -> int:
    """How many operations were carried out; waits do not count.

    Raises:
        ComposerError: the first that a driver raised; the messages of further ones are its notes.
        CancelledError: after the drivers that were at work have finished.
    """
    return await _Execution(plan, drivers, emit, clock, parallel).run()


class _Execution:
    def __init__(
        self, plan: Plan, drivers: Drivers, emit: Callable[[Event], None], clock: Clock, parallel: int
    ) -> None:
        self._drivers = drivers
        self._emit = emit
        self._clock = clock
        self._slots = asyncio.Semaphore(parallel)
        self._progress = Progress(plan)
        self._waiting = {node.id: set(node.needs) for node in plan}
        self._nodes = {node.id: node for node in plan}
        self._dependents: dict[str, list[str]] = {node.id: [] for node in plan}
        for node in plan:
            for need in node.needs:
                self._dependents[need].append(node.id)
        self._running: dict[asyncio.Task[None], Node] = {}
        self._errors: list[Exception] = []
        self._changed = 0
        self._stopping = False

    async def run(self) -> int:
        self._launch([node_id for node_id, needs in self._waiting.items() if not needs])
        try:
            while self._running:
                finished, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                for task in finished:
                    self._settle(task)
        except asyncio.CancelledError:
            await self._wind_down()
            raise
        if self._errors:
            first, *others = self._errors
            for other in others:
                first.add_note(str(other))
            raise first
        return self._changed

    def _launch(self, ready: Iterable[str]) -> None:
        for node_id in ready:
            del self._waiting[node_id]
            node = self._nodes[node_id]
            self._running[asyncio.create_task(self._carry_out(node), name=node_id)] = node

    async def _carry_out(self, node: Node) -> None:
        if isinstance(node.operation, AwaitCondition):
            await self._timed(node)
        else:
            async with self._slots:
                if self._stopping:
                    raise asyncio.CancelledError
                await self._timed(node)

    async def _timed(self, node: Node) -> None:
        self._tell(self._progress.begun(node))
        began = self._clock.monotonic()
        await perform(node.operation, self._drivers)
        self._tell(self._progress.done(node, self._clock.monotonic() - began))

    def _settle(self, task: asyncio.Task[None]) -> None:
        """Take the outcome of a finished task and begin what it was in the way of."""
        node = self._running.pop(task)
        error = task.exception()
        if error is None:
            self._changed += not isinstance(node.operation, AwaitCondition)
            self._release(node.id)
        elif not isinstance(error, Exception):
            raise error
        elif isinstance(error, ComposerError) and _is_optional(node):
            hint = node.operation.otherwise if isinstance(node.operation, PullImage) else ""
            self._tell(self._progress.failed(node, error.message, hint or error.hint, warning=True))
            self._release(node.id)
        else:
            self._fail(node, error)

    def _fail(self, node: Node, error: Exception) -> None:
        hint = error.hint if isinstance(error, ComposerError) else ""
        self._errors.append(error)
        self._tell(self._progress.failed(node, str(error), hint))
        self._leave_out(node.id)

    def _release(self, node_id: str) -> None:
        ready = []
        for dependent in self._dependents[node_id]:
            if dependent in self._waiting:
                self._waiting[dependent].discard(node_id)
                if not self._waiting[dependent]:
                    ready.append(dependent)
        self._launch(ready)

    def _leave_out(self, node_id: str) -> None:
        """Leave out all that needs `node_id`, but for optional waits: these are over, and what waited goes on."""
        for dependent in self._dependents[node_id]:
            if self._waiting.pop(dependent, None) is not None:
                if _is_optional(self._nodes[dependent]):
                    self._release(dependent)
                else:
                    self._leave_out(dependent)

    async def _wind_down(self) -> None:
        self._stopping = True
        for task, node in self._running.items():
            if isinstance(node.operation, AwaitCondition | PullImage | BuildImage | PushImage):
                task.cancel()
        try:
            outcomes = await asyncio.gather(*self._running, return_exceptions=True)
        except asyncio.CancelledError:
            # gather has passed the second cancellation on to the drivers; their end is still ours to see.
            outcomes = await asyncio.gather(*self._running, return_exceptions=True)
        for node, outcome in zip(self._running.values(), outcomes, strict=True):
            if isinstance(outcome, Exception):
                hint = outcome.hint if isinstance(outcome, ComposerError) else ""
                self._tell(self._progress.failed(node, str(outcome), hint))

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._emit(event)


def _is_optional(node: Node) -> bool:
    return isinstance(node.operation, AwaitCondition | PullImage | PushImage) and not node.operation.required


async def perform(operation: Operation, drivers: Drivers) -> None:  # noqa: C901  a table
    """Call the one driver that carries `operation` out."""
    match operation:
        case PullImage():
            await drivers.pull_image(operation)
        case BuildImage():
            await drivers.build_image(operation)
        case PushImage():
            await drivers.push_image(operation)
        case CreateNetwork():
            await drivers.create_network(operation)
        case RemoveNetwork():
            await drivers.remove_network(operation)
        case CreateVolume():
            await drivers.create_volume(operation)
        case RemoveVolume():
            await drivers.remove_volume(operation)
        case RemoveImage():
            await drivers.remove_image(operation)
        case CreateContainer():
            await drivers.create_container(operation)
        case StartContainer():
            await drivers.start_container(operation)
        case StopContainer():
            await drivers.stop_container(operation)
        case RemoveContainer():
            await drivers.remove_container(operation)
        case AwaitCondition():
            await drivers.await_condition(operation)
        case unknown:
            assert_never(unknown)
