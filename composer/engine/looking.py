"""What clients ask to be shown: projects, containers, logs, events, ends, and the engine itself."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator

from composer import __version__
from composer.api.messages import ContainerEvent, ContainerSummary, EngineStatus, LogEntry, ProjectSummary
from composer.engine.logs import Logs
from composer.engine.loop import Loop
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.store import Store
from composer.engine.summaries import container_summary, project_summary
from composer.engine.world import State
from composer.errors import UsageError


class Looking:
    """Answers that change nothing."""

    def __init__(self, rooms: Rooms, loop: Loop, logs: Logs) -> None:
        self._rooms = rooms
        self._loop = loop
        self._logs = logs
        self._since = time.monotonic()

    def projects(self) -> tuple[ProjectSummary, ...]:
        """Every project that has containers."""
        names = sorted({record.project for record in self._rooms.store.containers})
        return tuple(
            project_summary(name, self._rooms.store.containers_of(name), self._rooms.store.projects.get(name))
            for name in names
        )

    def containers(self, name: str, every: bool) -> tuple[ContainerSummary, ...]:
        """The project's containers: those that run (or restart), or all."""
        return tuple(
            container_summary(record)
            for record in self._rooms.store.containers_of(name)
            if every or record.state in (State.RUNNING, State.RESTARTING)
        )

    def logs(
        self,
        name: str,
        *,
        services: tuple[str, ...] = (),
        tail: int | None = None,
        since: float = 0.0,
        until: float | None = None,
        follow: bool = False,
    ) -> AsyncIterator[LogEntry]:
        """What the project's containers wrote; with `follow` also what they and their successors go on to write."""
        return self._logs.of(name, services=services, tail=tail, since=since, until=until, follow=follow)

    async def events(self, name: str) -> AsyncIterator[ContainerEvent]:
        """What happens to the project's containers from now on."""
        subscription = self._rooms.bus.subscribe(name)
        try:
            async for happened in subscription:
                yield happened
        finally:
            subscription.close()

    async def wait(self, container: str) -> int:
        """The exit status of a container, once it has one that its restart policy leaves at that."""

        def over() -> bool:
            record = self._rooms.store.containers.get(container)
            return record is None or record.state is State.EXITED or container in self._loop.exit_codes

        record_of(self._rooms.store, container)
        await self._rooms.bus.until(over)
        record = self._rooms.store.containers.get(container)
        if record is not None and record.state is State.EXITED:
            return record.exit_code
        # A one-off of `run --rm` may be removed before we look, and records may be another engine's: the loop remembers.
        return self._loop.exit_codes.get(container, 0)

    async def status(self) -> EngineStatus:
        """The processes behind the commands."""
        rooms = self._rooms
        pids = await (await rooms.keeping.ready()).status()
        return EngineStatus(
            version=__version__,
            socket=str(rooms.paths.engine_socket),
            data=str(rooms.paths.data),
            uptime=time.monotonic() - self._since,
            engine=os.getpid(),
            keeper=int(pids["keeper"]),
            data_plane=int(pids["dataplane"]),
            pump=int(pids["pump"]),
            projects=len({record.project for record in rooms.store.containers}),
            containers=len(rooms.store.containers),
            running=sum(record.state is State.RUNNING for record in rooms.store.containers),
            rootless=rooms.facts.rootless,
            notes=tuple(rooms.notes),
        )


def record_of(store: Store, container: str) -> ContainerRecord:
    """The record of a container, by id. Raises UsageError where there is none."""
    record = store.containers.get(container)
    if record is None:
        raise UsageError(f"there is no container `{container[:12]}`")
    return record
