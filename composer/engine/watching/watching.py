"""All watches of this engine, one a project.

Each is on record: a detached one until it is stopped or its project goes, and is taken up again after any death; one with a
terminal while that follows it. Its client asks again when an engine has died, and what changed meanwhile is dealt with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from composer.api.messages import Event, Result, WatchRequest, WatchStatus
from composer.engine.watching import deleted, manifest
from composer.engine.watching.session import Session
from composer.engine.watching.tools import Tools
from composer.errors import ComposerError, UsageError

_ASK_AGAIN_WITHIN = 30.0
"""Seconds in which clients of a former engine have asked again, if they are there."""

log = logging.getLogger("composer.engine")


class Watching:
    """Begins, shows and ends watches."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._sessions: dict[str, Session] = {}
        self._ending: dict[str, asyncio.Future[None]] = {}
        """Sessions that are finishing what is under way."""
        self._interrupted: set[str] = set()
        """Projects that a terminal had watched when the former engine died."""
        self._is_closing = False

    async def watch(self, name: str, request: WatchRequest, emit: Callable[[Event], None]) -> Result:
        """Watch a project: until it is stopped, or detached until everything is in sync. A client that leaves ends its own.

        Where the project is watched already, that watch goes on, over the services of both.

        Raises:
            UsageError: nothing in the project is to be watched, or a rule cannot be.
        """
        while (ending := self._ending.get(name)) is not None:
            await asyncio.wait([ending])
        session = self._sessions.get(name)
        if session is None or session.over:
            session = self._begin(name, request, resumed=name in self._interrupted)
        elif (both := _together(session.request, request)) != session.request:
            session.ask(both)
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        session.telling.listeners.add(queue)
        try:
            session.detached = session.detached or request.detach
            self._tools.rooms.store.watches.put(name, replace(session.request, detach=session.detached))
            if request.detach:
                await session.ready()
                return Result()
            while (event := await queue.get()) is not None:
                emit(event)
        finally:
            session.telling.listeners.discard(queue)
            if not session.detached and not session.telling.listeners:
                if self._sessions.get(name) is session and not self._is_closing:
                    self._tools.rooms.store.watches.remove(name)
                await self._end(name, session)
        if session.error is not None:
            raise session.error
        return Result()

    async def stop(self, name: str, why: str = "it was told to") -> Result:
        """End the watch over a project, whoever began it; whether there was one is in `changed`."""
        self._tools.rooms.store.watches.remove(name)
        session = self._sessions.get(name)
        return Result(changed=int(session is not None and await self._end(name, session, why)))

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
        for name, request in list(self._tools.rooms.store.watches.items()):
            if request.detach:
                self._begin(name, request, resumed=True)
            else:
                self._interrupted.add(name)
        asyncio.get_running_loop().call_later(_ASK_AGAIN_WITHIN, self._forget_the_interrupted)
        await asyncio.to_thread(self._forget_the_gone)

    async def close(self) -> None:
        """End all; what is on record stays on record."""
        self._is_closing = True
        for name, session in list(self._sessions.items()):
            await self._end(name, session)
        self._tools.ledger.close()

    def busy(self) -> bool:
        """Whether anything is watched."""
        return any(not session.over for session in self._sessions.values())

    def _begin(self, name: str, request: WatchRequest, *, resumed: bool = False) -> Session:
        session = self._sessions[name] = Session(name, request, self._tools, resumed=resumed)
        session.start()
        return session

    async def _end(self, name: str, session: Session, why: str = "") -> bool:
        """End this very session, which may be another's by now; whether it was on."""
        was_on = not session.over
        if self._sessions.get(name) is session:
            del self._sessions[name]
            ended = self._ending[name] = asyncio.get_running_loop().create_future()
            try:
                await session.stop(why)
            finally:
                del self._ending[name]
                ended.set_result(None)
        return was_on

    def _forget_the_interrupted(self) -> None:
        interrupted, self._interrupted = self._interrupted, set()
        for name in interrupted - self._sessions.keys():
            if not self._is_closing:
                self._tools.rooms.store.watches.remove(name)

    def _forget_the_gone(self) -> None:
        try:
            store = self._tools.rooms.store
            known = {record.id for record in store.containers}
            projects = {record.project for record in store.containers} | {name for name, _ in store.watches.items()}
            for owner in self._tools.ledger.owners():
                if owner not in known and (manifest.project_of(owner) or deleted.project_of(owner)) not in projects:
                    self._tools.ledger.forget(owner)
        except (ComposerError, OSError) as error:
            log.warning("cannot clear the ledger: %s", error)


def _together(now: WatchRequest, asked: WatchRequest) -> WatchRequest:
    """What is asked last, over the services of both; the same as now where that says it all."""
    before, after = now.up.options.services, asked.up.options.services
    services = tuple(dict.fromkeys((*before, *after))) if before and after else ()
    options = replace(asked.up.options, services=services)
    both = replace(asked, up=replace(asked.up, options=options), detach=now.detach or asked.detach)
    return now if replace(both, detach=now.detach) == now else both
