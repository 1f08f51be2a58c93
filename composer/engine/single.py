"""What clients ask of one container, beside the turns of its project: a command in it, its streams, its removal."""

from __future__ import annotations

import asyncio
import contextlib
import os

from composer.api.messages import ExecRequest, Result
from composer.engine.containers import Containers
from composer.engine.logs import Logs
from composer.engine.looking import Looking, record_of
from composer.engine.loop import Loop
from composer.engine.plan import RemoveContainer, StopContainer
from composer.engine.processes import Processes
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.sessions import AttachSession, DetachedSession, ProcessSession
from composer.engine.world import State
from composer.errors import ComposerError, UsageError


class Single:
    """Requests that name a container, or one of a service's."""

    def __init__(
        self,
        rooms: Rooms,
        containers: Containers,
        loop: Loop,
        processes: Processes,
        logs: Logs,
        looking: Looking,
    ) -> None:
        self._rooms = rooms
        self._containers = containers
        self._loop = loop
        self._processes = processes
        self._logs = logs
        self._looking = looking
        self.beginning = 0
        """How many attached containers are just being started."""

    async def exec(self, name: str, request: ExecRequest) -> ProcessSession | DetachedSession:
        """A session with a process in a service's container; one that is over at once where it was detached.

        Raises:
            UsageError: the service has no running container of this index.
        """
        replicas = [
            record
            for record in self._rooms.store.containers_of(name)
            if record.service == request.service and record.state is State.RUNNING and not record.one_off
        ]
        chosen = [record for record in replicas if request.index in (0, record.number)]
        if not chosen:
            which = f"container {request.index} of service" if request.index else "service"
            raise UsageError(
                f"{which} `{request.service}` is not running", hint=f"`compose up -d {request.service}` starts it"
            )
        if request.detach:
            await self._processes.detached(chosen[0], request)
            return DetachedSession()
        return await self._processes.exec(chosen[0], request)

    async def attach(self, container: str, *, start: bool, stdin: bool, logs: bool) -> AttachSession:
        """A session with a container's own streams; with `start` it is started once the client listens."""
        record = record_of(self._rooms.store, container)

        async def begin() -> None:
            self.beginning += 1
            try:
                await self._loop.start(record.name)
            except ComposerError:
                if record.remove_on_exit:
                    await self.discard(self._rooms.store.containers.get(record.id))
                raise
            finally:
                self.beginning -= 1

        def descriptor(kind: str) -> int:
            held = self._rooms.keeping.held(f"{kind}/{record.id}")
            return os.dup(held.fds[0]) if held else -1

        def end_of_input() -> None:
            # As Docker has it: the input of a one-off ends with its client's, that of a service stays for the next one.
            if record.one_off and not record.config.tty:
                dropping = asyncio.create_task(self._rooms.keeping.drop(f"stdin/{record.id}"))
                self._rooms.background.append(dropping)
                dropping.add_done_callback(self._rooms.background.remove)

        return AttachSession(
            self._logs.raw(record, past=logs and not start),
            lambda: self._looking.wait(record.id),
            start=begin if start else None,
            stdin=lambda: descriptor("pty" if record.config.tty else "stdin") if stdin else -1,
            terminal=lambda: descriptor("pty"),
            signal=lambda signal: self._containers.signal(record.id, signal),
            on_end=end_of_input,
        )

    async def remove(self, container: str, *, force: bool, volumes: bool) -> Result:
        """Remove a single container, stopping it first with `force`; one that is gone is fine."""
        record = self._rooms.store.containers.get(container)
        if record is None:
            return Result()
        if force:
            await self._containers.stop(StopContainer(record.id, record.name, record.service, 0.0))
        await self._containers.remove(RemoveContainer(record.id, record.name, record.service, volumes))
        return Result(changed=1)

    async def discard(self, record: ContainerRecord | None) -> None:
        """Remove a container that was to go with its end, and has not come to begin."""
        if record is not None and record.state is State.CREATED:
            with contextlib.suppress(ComposerError):
                await self._containers.remove(RemoveContainer(record.id, record.name, record.service, volumes=True))
