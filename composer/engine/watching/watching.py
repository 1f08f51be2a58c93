"""All watches of this engine, one a project. A detached one is on record until it is stopped or its project goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from composer.api.messages import Event, Result, WatchRequest, WatchStatus
from composer.engine.watching.session import Session, Tools
from composer.errors import ComposerError, UsageError

log = logging.getLogger("composer.engine")


class Watching:
    """Begins, shows and ends watches."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._sessions: dict[str, Session] = {}

    async def watch(self, name: str, request: WatchRequest, emit: Callable[[Event], None]) -> Result:
        """Watch a project: until it is stopped, or detached until everything is in sync. A client that leaves ends its own.

        Raises:
            UsageError: nothing in the project is to be watched, or a rule cannot be.
        """
        session = self._sessions.get(name)
        if session is None or session.over or session.request.up.project != request.up.project:
            detached = session is not None and session.detached and not session.over
            await self._end(name)
            session = self._begin(name, request)
            session.detached = session.detached or detached
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        session.listeners.add(queue)
        try:
            if request.detach:
                session.detached = True
                self._tools.rooms.store.watches.put(name, request)
                await session.ready()
                return Result()
            while (event := await queue.get()) is not None:
                emit(event)
        finally:
            session.listeners.discard(queue)
            if not session.detached and not session.listeners:
                await self._end(name)
        if session.error is not None:
            raise session.error
        return Result()

    async def stop(self, name: str) -> Result:
        """End the watch over a project, whoever began it; whether there was one is in `changed`."""
        self._tools.rooms.store.watches.remove(name)
        return Result(changed=int(await self._end(name)))

    def status(self, name: str) -> WatchStatus | None:
        """How the watch over a project stands, None if there is none."""
        session = self._sessions.get(name)
        return session.status() if session is not None and not session.over else None

    async def verify(self, name: str) -> tuple[str, ...]:
        """Where containers differ from what is on disk, by content. Raises UsageError when nobody watches."""
        session = self._sessions.get(name)
        if session is None or session.over:
            raise UsageError(f"nobody watches project `{name}`", hint="`compose up -d --watch` begins")
        return await session.verify()

    async def resume(self) -> None:
        """Take up the watches that are on record; the engine has just started."""
        for name, request in self._tools.rooms.store.watches.items():
            self._begin(name, request)
        await asyncio.to_thread(self._forget_the_gone)

    async def close(self) -> None:
        """End all; what is on record stays on record."""
        for name in list(self._sessions):
            await self._end(name)
        self._tools.ledger.close()

    def busy(self) -> bool:
        """Whether anything is watched."""
        return any(not session.over for session in self._sessions.values())

    def _begin(self, name: str, request: WatchRequest) -> Session:
        session = self._sessions[name] = Session(name, request, self._tools)
        session.start()
        return session

    async def _end(self, name: str) -> bool:
        session = self._sessions.pop(name, None)
        if session is None:
            return False
        was_on = not session.over
        await session.stop()
        return was_on

    def _forget_the_gone(self) -> None:
        try:
            known = {record.id for record in self._tools.rooms.store.containers}
            for owner in self._tools.ledger.owners():
                if owner not in known:
                    self._tools.ledger.forget(owner)
        except (ComposerError, OSError) as error:
            log.warning("cannot clear the ledger: %s", error)
