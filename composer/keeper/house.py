"""The keeper process: what it listens on, whom it starts, how it ends, and how it becomes one of newer code."""

from __future__ import annotations

import gc
import signal
import socket
from typing import Any

from composer.keeper import child, signals, start, upgrade
from composer.keeper.auxiliary import Auxiliary
from composer.keeper.connection import Connection, listen
from composer.keeper.journal import Journal
from composer.keeper.keeping import Keeping
from composer.keeper.loop import Loop
from composer.keeper.luggage import Luggage
from composer.keeper.notes import note
from composer.keeper.requests import Requests
from composer.keeper.sources import sources
from composer.kernel import privilege
from composer.paths import Paths

_ENGINE_GONE_SECONDS = 0.25
_ENGINE_RETURNS_SECONDS = 2.0
"""How long an engine that we did not start may take to connect before we start one."""
_SETTLE_SECONDS = 0.02
"""Until we look again whether everything that was to be sent has been."""


class House:
    """The keeper process: what it listens on, and how it ends."""

    def __init__(self, paths: Paths, options: list[str], lock: int, state: dict[str, Any] | None = None) -> None:
        """`state` is what a keeper left that has become this one."""
        self._paths = paths
        self._options = options
        self._lock = lock
        self._loop = Loop()
        nofile = (state["nofile"][0], state["nofile"][1]) if state else start.raise_descriptor_limit()
        known = sources()
        self._keeping = Keeping(self._loop, Journal(paths.journal), nofile, known, paths.plane_socket)
        self._engine = Auxiliary(
            self._loop,
            "composer.server",
            known,
            talks=False,
            survives=True,
            log=paths.engine_log,
            unless=self._has_engine,
        )
        self._keeping.others.append(self._engine)
        self._with_engine = "--no-engine" not in options
        self._engine_lives = "--engine-lives" in options
        self._leaving = False
        self._requests = Requests(self._keeping, self._leave, self._succeed, self._upgrade)
        self._connections: list[Connection] = []
        self._listener = socket.socket(fileno=state["listener"]) if state else listen(paths.keeper_socket)
        self._loop.watch(self._listener.fileno(), self._accept)
        signals.watch(self._loop, self._heed)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a keeper that became this one had them blocked
        self._state = state

    def live(self) -> None:
        """Serve until asked to stop."""
        child.ignored_signals()
        privilege.last_capability()
        gc.collect()
        gc.freeze()  # a child touches no page of what exists now: copy-on-write stays cheap
        if self._state:
            self._unpack(self._state)
            self._state = None
        else:
            self._keeping.planes.inherit(self._paths.plane_socket)
        if self._engine_lives or self._keeping.engine is not None:
            self._loop.later(_ENGINE_RETURNS_SECONDS, self._ensure_engine)
        else:
            self._ensure_engine()
        self._loop.run()

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError as error:
            note(f"accept: {error.strerror}")
            return
        former = self._keeping.engine
        self._connect(sock)
        if former is not None:
            former.close()

    def _connect(self, sock: socket.socket) -> Connection:
        connection = Connection(self._loop, sock, self._requests.receive, self._lost)
        self._connections.append(connection)
        return connection

    def _succeed(self, engine: Connection, command: list[str]) -> None:
        """An engine makes way: another is started by `command`, from now on too; it may stay for what it still relays."""
        if self._keeping.engine is engine:
            self._keeping.engine = None
            note("the engine makes way for another")
        self._keeping.retired.append(engine)
        self._engine.replace(command)
        self._ensure_engine()

    def _upgrade(self, engine: Connection, command: list[str], ticket: int) -> None:
        """Become the keeper that `command` is; the answer to `ticket` is its word, or that it would not run."""
        if not self._keeping.is_settled:
            self._loop.later(_SETTLE_SECONDS, lambda: self._upgrade(engine, command, ticket))
            return
        luggage = Luggage()
        state = self._pack(luggage, self._connections.index(engine), ticket)
        try:
            upgrade.become(command, self._options, luggage, state)
        except OSError as error:
            note(f"not upgraded: {error.strerror}")
            engine.send(
                {"is": "failed", "ticket": ticket, "errno": error.errno, "message": f"upgrade: {error.strerror}"}
            )

    def _pack(self, luggage: Luggage, asking: int, ticket: int) -> dict[str, Any]:
        connections = self._connections

        def number_of(connection: Connection | None) -> int:
            return connections.index(connection) if connection in connections else -1

        return {
            "lock": luggage.add(self._lock),
            "listener": luggage.add(self._listener.fileno()),
            "connections": [luggage.add(connection.fileno()) for connection in connections],
            "auxiliary": self._engine.pack(luggage),
            "asking": asking,
            "ticket": ticket,
            **self._keeping.pack(luggage, number_of),
        }

    def _unpack(self, state: dict[str, Any]) -> None:
        connections = [self._connect(socket.socket(fileno=fd)) for fd in state["connections"]]
        self._engine.unpack(state["auxiliary"])
        self._keeping.unpack(state, connections)
        self._keeping.reap_orphans()
        connections[state["asking"]].send({"is": "done", "ticket": state["ticket"]})

    def _lost(self, engine: Connection) -> None:
        self._connections.remove(engine)
        if engine in self._keeping.retired:
            self._keeping.retired.remove(engine)
        if self._keeping.engine is engine:
            self._keeping.engine = None
            note("the engine is gone")
            self._loop.later(
                _ENGINE_RETURNS_SECONDS if self._engine.wanted else _ENGINE_GONE_SECONDS, self._ensure_engine
            )

    def _ensure_engine(self) -> None:
        """Start an engine unless one is connected, or none is wanted; once started by us it is started again."""
        if self._with_engine and not self._leaving:
            self._engine.want()

    def _has_engine(self) -> bool:
        return self._keeping.engine is not None

    def _heed(self, numbers: set[int]) -> None:
        if signal.SIGTERM in numbers:
            self._asked_to_end()
        self._keeping.reap_orphans()

    def _asked_to_end(self) -> None:
        if self._keeping.is_idle:
            self._engine.end()
            self._leave()
        else:
            note("SIGTERM ignored: containers run")

    def _leave(self) -> None:
        """End everything, when the answer at hand has been sent."""
        self._leaving = True
        self._engine.wanted = False
        self._keeping.end()
        for socket_ in (self._paths.keeper_socket, self._paths.plane_socket):
            socket_.unlink(missing_ok=True)
        if not self._keeping.journal.exits:
            self._paths.journal.unlink(missing_ok=True)
        self._loop.later(0, self._loop.stop)
