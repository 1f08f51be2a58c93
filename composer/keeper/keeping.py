"""The keeper at work: what the engine asks, and the books it keeps: starts under way, children, the store, the journal.

Nothing here waits for a child or for the engine: a start is a channel to listen on, and messages that the engine does not
take yet are queued.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.edition import KEEPER_PARTS, PACKAGE, checksum
from composer.keeper import fifos, start
from composer.keeper.auxiliary import Auxiliary
from composer.keeper.children import Child, Children
from composer.keeper.connection import Connection
from composer.keeper.journal import Journal
from composer.keeper.loop import Loop
from composer.keeper.luggage import Luggage
from composer.keeper.notes import note
from composer.keeper.planes import Planes
from composer.keeper.sources import Sources
from composer.keeper.store import Store
from composer.kernel import process


@dataclass(frozen=True, slots=True)
class Pending:
    """A start under way, and to whom its end is to be told."""

    start: start.Start
    engine: Connection | None
    ticket: int


class Keeping:
    """The books, and the one engine that is told of them."""

    def __init__(
        self, loop: Loop, journal: Journal, nofile: tuple[int, int], known: Sources, plane: Path | None = None
    ) -> None:
        """`plane` is where the data plane waits for another keeper, if we die."""
        self._loop = loop
        self._nofile = nofile
        self.journal = journal
        self.code = checksum(PACKAGE, KEEPER_PARTS)
        self.store = Store()
        self.children = Children(loop, known, self._on_end, self._on_exit)
        self.planes = Planes(loop, known, self.store, plane, self._tell_plane_who_lives)
        self.others: list[Auxiliary] = []
        """More children of this process, which are reaped by whoever started them."""
        self.starts: dict[str, Pending] = {}
        self.engine: Connection | None = None
        self.retired: list[Connection] = []
        """Engines that made way for another and are still somebody's relay."""

    # -- what the engine asks ------------------------------------------------------------------------------------

    def run(self, request: start.Request, fds: dict[str, int], ticket: int) -> None:
        """Start a process; the answer to `ticket` follows when its program runs. Raises OSError if it cannot be."""
        if request.id in self.children or request.id in self.starts:
            raise FileExistsError(f"`{request.id}` runs already")
        self._await(Pending(start.begin(request, fds, self._nofile), self.engine, ticket))

    def adopt(self, child: Child) -> None:
        """Watch a container that another keeper started; its FIFOs are found by name. One already known is fine."""
        if child.id in self.children:
            os.close(child.pidfd)
            return
        child.stranger = True
        if child.fifos and Path(child.fifos).is_dir():
            child.held = fifos.hold(Path(child.fifos))
        if pty := self.store.get(f"pty/{child.id}"):
            child.pty = os.dup(pty.fds[0])
        self._add(child)

    def put(self, name: str, meta: dict[str, Any], fds: list[int]) -> None:
        """Hold `fds` as `name`; the data plane is told of what concerns it."""
        self.store.put(name, meta, fds)
        self.planes.put(name, meta, fds)

    def drop(self, name: str, asking: Connection) -> None:
        """Let go of what is held as `name`; an engine that did not ask for it lets go too."""
        self.store.drop(name)
        if self.engine is not None and self.engine is not asking:
            self.engine.send({"is": "dropped", "name": name})
        self.planes.drop(name)

    def greet(self, engine: Connection) -> None:
        """Tell a new engine everything: containers that run, what is held, exits not yet acknowledged."""
        self.engine = engine
        for child in self.children:
            if child.journal and child.exit is None:
                engine.send(*child.introduction())
        for name, held in self.store.items():
            engine.send({"is": "held", "name": name, "meta": held.meta}, held.fds)
        draining = {child.id for child in self.children if child.exit}
        for id_, exit_ in self.journal.exits.items():
            if id_ not in draining:
                engine.send({"is": "exit", **exit_})
        engine.send({"is": "ready", "code": self.code})
        for former in self.retired:
            former.send({"is": "succeeded"})

    def end(self) -> None:
        """End pump and data plane, and what still runs: jobs and execs only, see `is_idle`."""
        self.children.pump.end()
        self.planes.end()
        self.children.kill()

    @property
    def is_idle(self) -> bool:
        """Whether no container runs and none is being started."""
        return not self.starts and not any(child.journal for child in self.children)

    # -- what outlives this program: `pack` before execve, `unpack` after it ------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether everything that engines and data plane were to be told has been sent."""
        connections = [self.engine, *self.retired, *(pending.engine for pending in self.starts.values())]
        told = all(each is None or each.is_settled for each in connections)
        return told and all(each.is_settled for each in self.planes.all)

    def pack(self, luggage: Luggage, number_of: Callable[[Connection | None], int]) -> dict[str, Any]:
        """Everything that is known here; `number_of` names a connection, -1 for none that is there any more."""
        return {
            "nofile": self._nofile,
            "exits": self.journal.exits,
            "children": self.children.pack(luggage),
            "starts": [
                {**each.start.pack(luggage), "engine": number_of(each.engine), "ticket": each.ticket}
                for each in self.starts.values()
            ],
            "store": [[name, held.meta, [luggage.add(fd) for fd in held.fds]] for name, held in self.store.items()],
            "engine": number_of(self.engine),
            "retired": [number_of(each) for each in self.retired],
            "pump": self.children.pump.pack(luggage),
            "planes": self.planes.pack(luggage),
        }

    def unpack(self, state: dict[str, Any], connections: list[Connection]) -> None:
        """Go on where `pack` left off."""
        self.engine = connections[state["engine"]] if state["engine"] >= 0 else None
        self.retired = [connections[number] for number in state["retired"]]
        self.journal.exits.update(state["exits"])
        for name, meta, fds in state["store"]:
            self.store.put(name, meta, fds)
        self.children.unpack(state["children"], state["pump"])
        self.planes.unpack(state["planes"])  # after them: another data plane is started, and told who lives
        for packed in state["starts"]:
            number = packed.pop("engine")
            ticket = packed.pop("ticket")
            begun = start.Start.unpack(packed)
            self._await(Pending(begun, connections[number] if number >= 0 else None, ticket))

    # -- what children do ----------------------------------------------------------------------------------------

    def _await(self, pending: Pending) -> None:
        """Listen to a start until it comes to its end."""
        begun = pending.start
        self.starts[begun.request.id] = pending

        def listen() -> None:
            begun.listen()
            if begun.finished:
                self._loop.unwatch(begun.channel.fileno())
                begun.channel.close()
                self._conclude(begun, pending.engine, pending.ticket)
                self.reap_orphans()

        self._loop.watch(begun.channel.fileno(), listen)

    def _conclude(self, begun: start.Start, engine: Connection | None, ticket: int) -> None:
        """A start came to its end: answer, and watch what runs now."""
        request = begun.request
        del self.starts[request.id]
        if begun.error is not None:
            self._fail(begun, engine, ticket)
            return
        child = Child(
            request.id,
            begun.pid,
            begun.pidfd,
            begun.start_time,
            request.journal,
            request.log,
            request.fifos if begun.held else "",
            begun.held,
            os.dup(begun.reported["pty"]) if "pty" in begun.reported and request.log else -1,
        )
        if engine is not None and engine is self.engine:
            names = {"pidfd": child.pidfd, **begun.reported, **{f"fifo/{name}": fd for name, fd in child.held.items()}}
            message = {"is": "started", "ticket": ticket, "pid": child.pid, "start_time": child.start_time}
            engine.send({**message, "names": list(names)}, list(names.values()))
        elif self.engine is not None and child.journal:
            self.engine.send(*child.introduction())  # whoever asked for it died meanwhile
        for fd in begun.reported.values():
            os.close(fd)
        self._add(child)

    def _fail(self, begun: start.Start, engine: Connection | None, ticket: int) -> None:
        request = begun.request
        begun.abandon()
        if begun.held:
            fifos.remove(Path(request.fifos))
        if engine is not None and engine is self.engine:
            engine.send({"is": "failed", "ticket": ticket, **(begun.error or {})})
        else:
            note(f"{request.id}: {begun.error}")

    def _add(self, child: Child) -> None:
        self._tell_plane(child)
        self.children.add(child)

    def _on_end(self, child: Child) -> None:
        self.planes.drop(f"child/{child.id}")
        if child.journal and child.exit:
            self.journal.record(child.exit)
        self.reap_orphans()

    def _on_exit(self, child: Child) -> None:
        for engine in (self.engine, *self.retired):
            if engine is not None:
                engine.send({"is": "exit", **(child.exit or {}), "journal": child.journal})

    def reap_orphans(self) -> None:
        """Reap what was reparented to us; our own children are reaped through their pidfds.

        One that enters a container is known by pid only once its channel has told: it may have run and ended before. So
        nobody is reaped meanwhile.
        """
        if any(pending.start.enters for pending in self.starts.values()):
            return
        known = {child.pid for child in self.children} | {each.start.pid for each in self.starts.values()}
        known |= {each.pid for each in (self.children.pump, *self.planes.all, *self.others)}
        while (pid := process.ended_child()) is not None and pid not in known:
            os.waitpid(pid, 0)

    def _tell_plane_who_lives(self) -> None:
        for child in self.children:
            if child.exit is None:
                self._tell_plane(child)

    def _tell_plane(self, child: Child) -> None:
        """A container lives: should we die, the data plane goes on as long as it does."""
        if child.journal:
            self.planes.hold(f"child/{child.id}", {}, [child.pidfd])
