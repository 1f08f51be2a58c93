"""Restarts come to their end: what one has stopped is started, though its client or its engine is gone meanwhile.

As in Docker, to stop and to start are one for whoever restarts. That a container is between the two is on its record. Where
the request is broken off (Ctrl-C, another command on the project), its rest is done as soon as the project is free; where the
engine dies, the next one does it. Somebody's `stop`, `kill`, `rm` or `down` calls it off, and so does a start that fails:
the user has been told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from composer.engine.records import ContainerRecord
from composer.engine.store import Store
from composer.errors import ComposerError
from composer.image.disk import boot_id

log = logging.getLogger("composer.engine")

_AGAIN = 0.05
"""Seconds that work has to let go, before it is told once more."""


class Restarts:
    """Remembers restarts that are broken off, and has them carried on."""

    def __init__(self, store: Store, carry_on: Callable[[str], Awaitable[None]]) -> None:
        """`carry_on` does the rest of a project's restart, in its turn."""
        self._store = store
        self._carry_on = carry_on
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked: set[str] = set()
        """Projects that became free while their turn was still ours."""
        self._closed = False

    @property
    def under_way(self) -> tuple[str, ...]:
        """The projects whose restart is being carried on."""
        return tuple(self._tasks)

    def recover(self) -> None:
        """Carry on with what an engine before us has begun. After a reboot only a policy starts anything."""
        boot = boot_id()
        for record in self._store.containers:
            if record.restarting not in ("", boot) and record.config.restart.name not in ("always", "unless-stopped"):
                self._call_off(record)
        for project in {record.project for record in self._store.containers}:
            self.go_on(project)

    def begun(self, project: str) -> frozenset[str]:
        """The ids of the containers that a restart has stopped, or has begun to."""
        return frozenset(record.id for record in self._store.containers_of(project) if record.restarting)

    def go_on(self, project: str) -> None:
        """Have done what is left of a restart that nobody is at, in the background; nothing, mostly."""
        if project in self._tasks:
            self._asked.add(project)
        elif not self._closed and self.begun(project):
            self._tasks[project] = asyncio.create_task(self._go_on(project))

    def call_off(self, project: str, services: Sequence[str] = ()) -> None:
        """Leave stopped what a restart has stopped: of these services, or of all."""
        for record in self._store.containers_of(project):
            if record.restarting and (not services or record.service in services):
                self._call_off(record)

    async def close(self) -> None:
        """Leave the rest to the next engine."""
        self._closed = True
        while self._tasks:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.wait(self._tasks.values(), timeout=_AGAIN)

    def _call_off(self, record: ContainerRecord) -> None:
        self._store.containers.put(record.id, replace(record, restarting=""))

    async def _go_on(self, project: str) -> None:
        try:
            await self._carry_on(project)
        except ComposerError as error:
            log.info("a restart of `%s` is not carried on: %s", project, error)
        except Exception:
            self.call_off(project)
            log.exception("cannot carry on a restart of `%s`", project)
        finally:
            del self._tasks[project]
            if project in self._asked:
                self._asked.discard(project)
                self.go_on(project)
