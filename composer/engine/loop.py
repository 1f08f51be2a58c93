"""What follows when a container ends, is found dead, or is asked how it is: the engine's own eyes and hands.

Exits, health and adoption only change records and wake whoever waits; `supervise` and `health` decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from composer.engine import health, supervise
from composer.engine.confinement import Confinement
from composer.engine.containers import Containers, event
from composer.engine.plan import RemoveContainer
from composer.engine.processes import Probe, Processes
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.starting import Starting
from composer.engine.supervise import Cause, History, Restart
from composer.engine.world import Health, State
from composer.errors import ComposerError, KeeperLostError
from composer.keeper.runs import Exit

log = logging.getLogger("composer.engine")

_MOST_EXITS = 1000
"""Ends of containers that are no more, remembered for those who ask late."""
_READ_WITHIN = 10.0
"""Seconds that a client has to read the last output of a container that goes with its end."""


class Loop:
    """Watches over every container of this engine."""

    def __init__(
        self,
        rooms: Rooms,
        containers: Containers,
        starting: Starting,
        processes: Processes,
        confinement: Confinement,
    ) -> None:
        self._rooms = rooms
        self._containers = containers
        self._starting = starting
        self._processes = processes
        self._confinement = confinement
        self._histories: dict[str, History] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starts: set[asyncio.Task[None]] = set()
        self._ending: set[str] = set()
        self._reported: set[str] = set()
        self._recovered = asyncio.Event()
        self._retired = False
        self.probes: dict[str, Probe] = {}
        """The last probe of each container, for messages."""
        self.exit_codes: dict[str, int] = {}
        """How containers ended that are removed when they end, the latest of them."""
        containers.on_removed = self._forget

    async def start(self, name: str) -> None:
        """Start a container by hand: it begins a new life, as far as restart policies are concerned."""
        record = self._rooms.store.container_named(name)
        if record is None:
            raise ComposerError(f"cannot start `{name}`: there is no such container")
        self._histories[record.id] = supervise.started(self._history(record))
        await self._start(record.id)

    def exited(self, ended: Exit) -> None:
        """The keeper says that a container has ended; or something else, for which whoever started it waits."""
        if self._retired:
            self._remember(ended.id, ended.status)
            self._rooms.bus.changed()
            return
        if ended.journalled:
            self._reported.add(ended.id)
            self._spawn(self._exited(ended))

    def found(self, record: ContainerRecord) -> None:
        """The engine has started and this container runs: go on watching it."""
        self._watch_health(record)

    async def lost(self, record: ContainerRecord) -> None:
        """The engine has started and this container, which should run, is gone; nobody knows how it ended."""
        await self._ended(record, -1, self._rooms.clock.now(), Cause.FOUND)

    def resume(self, record: ContainerRecord) -> None:
        """The engine has started while this container waited for its restart."""
        self._spawn(self._restart(record.id, 0.0))

    def recovered(self) -> None:
        """The engine has taken up everything: until then a restart would be taken for what an old engine left half done."""
        self._recovered.set()

    def is_ending(self, container: str) -> bool:
        """Whether its exit is known and being dealt with."""
        return container in self._ending or container in self._reported

    def retire(self) -> None:
        """Leave everything to another engine, but for telling those who wait here that a container has ended."""
        self._retired = True
        self.close()

    async def started(self) -> None:
        """Return when no start is under way: one goes on though nobody waits for it."""
        while self._starts:
            await asyncio.wait(self._starts)

    def close(self) -> None:
        """Stop watching; containers go on."""
        for task in (*self._watches.values(), *self._tasks, *self._starts):
            task.cancel()

    async def _start(self, container: str, *, again: bool = False) -> None:
        """Start a container that does not run; with `again` only if it still waits for its restart.

        A start that has begun comes to its end, whatever becomes of whoever asked for it: half of one would be a process that
        no record knows.
        """
        begun = asyncio.create_task(self._start_whole(container, again=again))
        self._starts.add(begun)
        begun.add_done_callback(self._started)
        await asyncio.shield(begun)

    async def _start_whole(self, container: str, *, again: bool) -> None:
        async with self._rooms.lock_of(container):
            await self._rooms.bus.until(lambda: container not in self._ending)
            record = self._rooms.store.containers.get(container)
            if record is None or record.state is State.RUNNING or (again and record.state is not State.RESTARTING):
                return
            try:
                await self._start_once_more(record)
            finally:
                record = self._rooms.store.containers.get(container)
                if record is not None and record.state is State.RUNNING:
                    self._watch_health(record)

    async def _start_once_more(self, record: ContainerRecord) -> None:
        """Start it; from the beginning, if the keeper dies over that."""
        try:
            await self._starting.start(record)
        except KeeperLostError:
            # What it had begun was cleared away: its successor begins anew.
            await self._rooms.keeping.ready()
            current = self._rooms.store.containers.get(record.id)
            if current is None or current.state is State.RUNNING:
                raise
            await self._starting.start(current)

    async def _exited(self, ended: Exit) -> None:
        # A start that has not been recorded yet comes first: its record does not have this pid.
        async with self._rooms.lock_of(ended.id):
            record = self._rooms.store.containers.get(ended.id)
            if record is not None and record.state is State.RUNNING and record.pid == ended.pid:
                cause = Cause.EXITED if record.wanted else Cause.STOPPED
                await self._ended(record, ended.status, ended.time, cause)
        self._reported.discard(ended.id)
        with contextlib.suppress(ComposerError):
            await self._rooms.keeping.keeper.acknowledge([ended.id])

    async def _ended(self, record: ContainerRecord, status: int, time: float, cause: Cause) -> None:
        """Record an end, let go of what the run held, and restart the container if its policy says so."""
        rooms = self._rooms
        self._ending.add(record.id)
        try:
            if (watch := self._watches.pop(record.id, None)) is not None:
                watch.cancel()
            out_of_memory = await self._let_go(record)
            record = rooms.store.containers.get(record.id) or record
            decision, history = supervise.ended(
                record.config.restart,
                self._history(record),
                cause if record.wanted or cause is Cause.STOPPED else Cause.STOPPED,
                status=status,
                ran=max(0.0, time - record.started),
                one_off=record.one_off,
            )
            self._histories[record.id] = history
            record = replace(
                record,
                state=State.RESTARTING if isinstance(decision, Restart) else State.EXITED,
                health=Health.NONE,
                exit_code=status,
                oom_killed=out_of_memory,
                finished=time,
                pid=0,
                ports=(),
                restarts=history.restarts,
            )
            rooms.store.containers.put(record.id, record)
        finally:
            self._ending.discard(record.id)
        rooms.bus.publish(record.project, event(record, "die", time))
        if isinstance(decision, Restart):
            self._spawn(self._restart(record.id, decision.delay))
        elif record.remove_on_exit:
            self._remember(record.id, status)
            self._spawn(self._remove_read(record))

    def _remember(self, container: str, status: int) -> None:
        self.exit_codes[container] = status
        while len(self.exit_codes) > _MOST_EXITS:
            del self.exit_codes[next(iter(self.exit_codes))]

    def _forget(self, container: str) -> None:
        """A container is no more."""
        self._histories.pop(container, None)
        self.probes.pop(container, None)
        self._rooms.reading.pop(container, None)

    async def _remove_read(self, record: ContainerRecord) -> None:
        """Remove a container that was to go with its end, once those who read its output have done so."""
        await self._rooms.bus.until(lambda: not self._rooms.reading[record.id], _READ_WITHIN)
        await self._containers.remove(RemoveContainer(record.id, record.name, record.service, volumes=True))

    async def _let_go(self, record: ContainerRecord) -> bool:
        """Give back what a run held; whether the kernel killed something in it for want of memory."""
        self._confinement.forget(record.id)
        outcomes = await asyncio.gather(
            asyncio.to_thread(self._end_cgroup, record.id), self._drop_held(record), return_exceptions=True
        )
        for error in outcomes:
            if isinstance(error, ComposerError):
                log.warning("%s: %s", record.name, error.message)
            elif isinstance(error, BaseException):
                raise error
        return outcomes[0] is True

    def _end_cgroup(self, container: str) -> bool:
        killed = self._rooms.cgroups.oom_kills(container) > 0
        try:
            # Execs of a dead container are dead too (its pid namespace is), but may take a moment to leave the cgroup.
            self._rooms.cgroups.remove(container)
        except ComposerError as error:
            log.warning("%s: %s", container, error.message)
        return killed

    async def _drop_held(self, record: ContainerRecord) -> None:
        try:
            await self._rooms.networks.withdraw(record)
        finally:
            for kind in ("pty", "stdin"):
                await self._rooms.keeping.drop(f"{kind}/{record.id}")

    async def _restart(self, container: str, delay: float) -> None:
        await self._rooms.clock.sleep(delay)
        await self._recovered.wait()
        record = self._rooms.store.containers.get(container)
        if record is None or record.state is not State.RESTARTING:
            return
        try:
            await self._start(container, again=True)
        except ComposerError as error:
            log.warning("cannot restart %s: %s", record.name, error.message)

    def _history(self, record: ContainerRecord) -> History:
        return self._histories.get(record.id) or History(restarts=record.restarts, stopped=not record.wanted)

    def _watch_health(self, record: ContainerRecord) -> None:
        if (former := self._watches.pop(record.id, None)) is not None:
            former.cancel()
        if record.config.health is not None:
            self._watches[record.id] = asyncio.create_task(self._probe(record))

    async def _probe(self, record: ContainerRecord) -> None:
        """Probe a container for as long as it runs; every change of its health is recorded and told."""
        rooms, test = self._rooms, record.config.health
        assert test is not None
        watch = health.watch(test, rooms.clock.monotonic())
        if record.health not in (Health.NONE, Health.STARTING):
            watch = replace(watch, status=record.health, extra=None)
        while True:
            await rooms.clock.sleep(max(0.0, watch.due - rooms.clock.monotonic()))
            begun = rooms.clock.monotonic()
            try:
                probe = await self._processes.probe(record, test.test, test.timeout)
            except ComposerError as error:
                probe = Probe(-1, error.message)
            current = rooms.store.containers.get(record.id)
            if current is None or current.state is not State.RUNNING or current.pid != record.pid:
                return
            self.probes[record.id] = probe
            watch = health.probed(watch, begun, rooms.clock.monotonic(), healthy=probe.status == 0)
            if watch.status is not current.health:
                current = replace(current, health=watch.status)
                rooms.store.containers.put(current.id, current)
                rooms.bus.publish(current.project, event(current, "health_status", rooms.clock.now()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _started(self, task: asyncio.Task[None]) -> None:
        """A start came to its end; whoever asked for it hears of a failure, if anybody still does."""
        self._starts.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("%s", error, exc_info=None if isinstance(error, ComposerError) else error)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed", exc_info=error)
