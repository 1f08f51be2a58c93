"""The keeper at work: what the engine asks, what children do, and the books it keeps of both.

Nothing here waits for a child or for the engine: a start is a channel to listen on, an exit is a pidfd that becomes
readable, and messages that the engine does not take yet are queued. An exit is written to the journal when it is
reaped, and told to the engine when the pump has moved the last of the container's output.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.edition import KEEPER_PARTS, PACKAGE, checksum
from composer.keeper import fifos, orphan, start
from composer.keeper.auxiliary import Auxiliary
from composer.keeper.connection import Connection
from composer.keeper.journal import Journal
from composer.keeper.loop import Loop
from composer.keeper.luggage import Luggage
from composer.keeper.notes import note
from composer.keeper.sources import Sources
from composer.keeper.store import Store
from composer.kernel import process

_DRAIN_SECONDS = 5.0
_STRANGER_PAUSE = 0.02
_STRANGER_TRIES = 50
"""How long we wait for whoever reaps an adopted container, to learn its exit status: a second."""


@dataclass(slots=True)
class Child:
    """A process that runs, or ran and still has output in its FIFOs."""

    id: str
    pid: int
    pidfd: int
    start_time: int
    journal: bool
    log: str = ""
    fifos: str = ""
    held: dict[str, int] = field(default_factory=dict)
    pty: int = -1
    stranger: bool = False
    """Adopted from a keeper that died: not our child, so not ours to reap."""
    exit: dict[str, Any] | None = None
    """Set once it ended, while the pump drains its output."""

    def pack(self, luggage: Luggage) -> dict[str, Any]:
        for fd in (self.pidfd, self.pty, *self.held.values()):
            luggage.add(fd)
        return {name: getattr(self, name) for name in self.__slots__}

    def close(self) -> None:
        for fd in (self.pidfd, *self.held.values(), self.pty):
            if fd >= 0:
                os.close(fd)


@dataclass(frozen=True, slots=True)
class Pending:
    """A start under way, and to whom its end is to be told."""

    start: start.Start
    engine: Connection | None
    ticket: int


class Keeping:
    """The books: starts under way, children, the store, the journal; and the processes beside them."""

    def __init__(
        self, loop: Loop, journal: Journal, nofile: tuple[int, int], known: Sources, plane: Path | None = None
    ) -> None:
        """`plane` is where the data plane waits for another keeper, if we die."""
        self._loop = loop
        self._nofile = nofile
        self.journal = journal
        self.code = checksum(PACKAGE, KEEPER_PARTS)
        self.store = Store()
        self.children: dict[str, Child] = {}
        self.starts: dict[str, Pending] = {}
        self.engine: Connection | None = None
        self.retired: list[Connection] = []
        """Engines that made way for another and are still somebody's relay."""
        self.pump = Auxiliary(
            loop, "composer.keeper.pump", known, on_start=self._tell_pump_everything, on_message=self._on_pump
        )
        self.dataplane = Auxiliary(
            loop,
            "composer.network.dataplane",
            known,
            arguments=(str(plane),) if plane else (),
            survives=True,
            on_start=self._tell_dataplane_everything,
        )
        self.former_planes: list[Auxiliary] = []
        """Data planes of older code that still serve what was under way."""
        self.auxiliaries = [self.pump, self.dataplane]

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
        self._watch(child)

    def put(self, name: str, meta: dict[str, Any], fds: list[int]) -> None:
        """Hold `fds` as `name`; the data plane is told of what concerns it."""
        self.store.put(name, meta, fds)
        if _is_for_dataplane(name):
            self.dataplane.want()
        self.dataplane.send({"do": "put", "name": name, "meta": meta}, fds)

    def drop(self, name: str, asking: Connection) -> None:
        """Let go of what is held as `name`; an engine that did not ask for it lets go too."""
        self.store.drop(name)
        if self.engine is not None and self.engine is not asking:
            self.engine.send({"is": "dropped", "name": name})
        self._drop_from_planes(name)

    def _drop_from_planes(self, name: str) -> None:
        for plane in (self.dataplane, *self.former_planes):
            plane.send({"do": "drop", "name": name})

    def inherit(self, socket: Path) -> None:
        """Take over what the data plane of a keeper that died has held meanwhile; none there is fine."""
        if (found := orphan.claim(socket)) is None:
            return
        for name, meta, fds in found.items:
            self.store.put(name, meta, fds)
        self._retire(found.process)
        note(f"took over {len(found.items)} things from data plane [{found.process['pid']}]")

    def _retire(self, packed: dict[str, Any]) -> None:
        """Have a data plane that was not started by this program end with what is under way there, and another started."""
        plane = Auxiliary(self._loop, "composer.network.dataplane", {})
        plane.unpack(packed)
        plane.retire()
        self.former_planes.append(plane)
        self.auxiliaries.append(plane)
        if any(_is_for_dataplane(name) for name in self.store):
            self.dataplane.want()

    def greet(self, engine: Connection) -> None:
        """Tell a new engine everything: containers that run, what is held, exits not yet acknowledged."""
        self.engine = engine
        for child in self.children.values():
            if child.journal and child.exit is None:
                engine.send(*_introduce(child))
        for name, held in self.store.items():
            engine.send({"is": "held", "name": name, "meta": held.meta}, held.fds)
        draining = {child.id for child in self.children.values() if child.exit}
        for id_, exit_ in self.journal.exits.items():
            if id_ not in draining:
                engine.send({"is": "exit", **exit_})
        engine.send({"is": "ready", "code": self.code})
        for former in self.retired:
            former.send({"is": "succeeded"})

    def end(self) -> None:
        """End pump and data plane, and what still runs: jobs and execs only, see `is_idle`."""
        for auxiliary in (self.pump, self.dataplane, *self.former_planes):
            auxiliary.end()
        for child in self.children.values():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)

    @property
    def is_idle(self) -> bool:
        """Whether no container runs and none is being started."""
        return not self.starts and not any(child.journal for child in self.children.values())

    # -- what outlives this program: `pack` before execve, `unpack` after it ------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether everything that engines and data plane were to be told has been sent."""
        connections = [self.engine, *self.retired, *(pending.engine for pending in self.starts.values())]
        planes = (self.dataplane, *self.former_planes)
        return all(each is None or each.is_settled for each in connections) and all(each.is_settled for each in planes)

    def pack(self, luggage: Luggage, number_of: Callable[[Connection | None], int]) -> dict[str, Any]:
        """Everything that is known here; `number_of` names a connection, -1 for none that is there any more."""
        return {
            "nofile": self._nofile,
            "exits": self.journal.exits,
            "children": [child.pack(luggage) for child in self.children.values()],
            "starts": [
                {**each.start.pack(luggage), "engine": number_of(each.engine), "ticket": each.ticket}
                for each in self.starts.values()
            ],
            "store": [[name, held.meta, [luggage.add(fd) for fd in held.fds]] for name, held in self.store.items()],
            "engine": number_of(self.engine),
            "retired": [number_of(each) for each in self.retired],
            "pump": self.pump.pack(luggage),
            "planes": [plane.pack(luggage) for plane in (self.dataplane, *self.former_planes) if plane.pid],
        }

    def unpack(self, state: dict[str, Any], connections: list[Connection]) -> None:
        """Go on where `pack` left off. Pump and data plane are of older code: they are started anew."""
        self.engine = connections[state["engine"]] if state["engine"] >= 0 else None
        self.retired = [connections[number] for number in state["retired"]]
        self.journal.exits.update(state["exits"])
        for name, meta, fds in state["store"]:
            self.store.put(name, meta, fds)
        for packed in state["planes"]:
            self._retire(packed)
        self.pump.unpack(state["pump"])
        self.pump.restart()
        for packed in state["children"]:
            child = Child(**packed)
            self.children[child.id] = child
            if child.exit is None:
                self._loop.watch(child.pidfd, self._watcher(child))
            else:
                self._drain(child)
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
            self.engine.send(*_introduce(child))  # whoever asked for it died meanwhile
        for fd in begun.reported.values():
            os.close(fd)
        self._watch(child)

    def _fail(self, begun: start.Start, engine: Connection | None, ticket: int) -> None:
        request = begun.request
        begun.abandon()
        if begun.held:
            fifos.remove(Path(request.fifos))
        if engine is not None and engine is self.engine:
            engine.send({"is": "failed", "ticket": ticket, **(begun.error or {})})
        else:
            note(f"{request.id}: {begun.error}")

    def _watch(self, child: Child) -> None:
        self.children[child.id] = child
        self._tell_dataplane(child)
        if child.log:
            self.pump.want()
            self._tell_pump(child)
        self._loop.watch(child.pidfd, self._watcher(child))

    def _watcher(self, child: Child) -> Callable[[], None]:
        return lambda: self._ended(child)

    def _ended(self, child: Child, tries: int = 0) -> None:
        """The pidfd became readable: learn the status, journal it, and have the rest of the output moved."""
        status = self._status(child)
        if status is None:
            if not child.stranger:
                return
            if tries == 0:
                self._loop.unwatch(child.pidfd)
            if tries < _STRANGER_TRIES:
                self._loop.later(_STRANGER_PAUSE, lambda: self._ended(child, tries + 1))
                return
            status = -1
        self._loop.unwatch(child.pidfd)
        child.exit = {"id": child.id, "pid": child.pid, "status": status, "time": time.time()}
        self._drop_from_planes(f"child/{child.id}")
        if child.journal:
            self.journal.record(child.exit)
        self._drain(child)
        self.reap_orphans()

    def _drain(self, child: Child) -> None:
        """Have the rest of an ended child's output moved."""
        if child.log:
            self.pump.send({"do": "drain", "id": child.id})
            self._loop.later(_DRAIN_SECONDS, lambda: self._drained(child, late=True))
        else:
            self._drained(child)

    def _status(self, child: Child) -> int | None:
        """The exit status as far as it is known; None if there may be one later."""
        if child.stranger:
            return process.exit_of_stranger(child.pidfd)
        try:
            return process.reap(child.pidfd)
        except ChildProcessError:  # somebody else reaped it, against all rules
            return process.exit_of_stranger(child.pidfd) or -1

    def _drained(self, child: Child, *, late: bool = False) -> None:
        """All of its output is on disk, or took too long: the exit may be known."""
        if self.children.get(child.id) is not child or child.exit is None:
            return
        if late:
            note(f"{child.id}: its output was not drained in {_DRAIN_SECONDS} s")
            self.pump.send({"do": "forget", "id": child.id})
        del self.children[child.id]
        child.close()
        if child.fifos:
            fifos.remove(Path(child.fifos))
        for engine in (self.engine, *self.retired):
            if engine is not None:
                engine.send({"is": "exit", **child.exit, "journal": child.journal})

    def reap_orphans(self) -> None:
        """Reap what was reparented to us; our own children are reaped through their pidfds.

        One that enters a container is known by pid only once its channel has told: it may have run and ended before. So
        nobody is reaped meanwhile.
        """
        if any(pending.start.enters for pending in self.starts.values()):
            return
        known = {child.pid for child in self.children.values()} | {each.start.pid for each in self.starts.values()}
        known |= {auxiliary.pid for auxiliary in self.auxiliaries}
        while (pid := process.ended_child()) is not None and pid not in known:
            os.waitpid(pid, 0)

    # -- the processes beside us ---------------------------------------------------------------------------------

    def _tell_pump(self, child: Child) -> None:
        message = {"do": "pump", "id": child.id, "log": child.log, "fifos": child.fifos}
        self.pump.send(message, [child.pty] if child.pty >= 0 else [])

    def _tell_pump_everything(self) -> None:
        for child in self.children.values():
            if child.log:
                self._tell_pump(child)
                if child.exit:
                    self.pump.send({"do": "drain", "id": child.id})

    def _on_pump(self, message: dict[str, Any]) -> None:
        if message.get("is") == "drained" and (child := self.children.get(str(message.get("id")))):
            self._drained(child)

    def _tell_dataplane_everything(self) -> None:
        for name, held in self.store.items():
            self.dataplane.send({"do": "put", "name": name, "meta": held.meta}, held.fds)
        for child in self.children.values():
            if child.exit is None:
                self._tell_dataplane(child)

    def _tell_dataplane(self, child: Child) -> None:
        """A container lives: should we die, the data plane goes on as long as it does."""
        if child.journal:
            self.dataplane.send({"do": "put", "name": f"child/{child.id}", "meta": {}}, [child.pidfd])


def _is_for_dataplane(name: str) -> bool:
    return name.startswith(("port/", "dns/", "zone/"))


def _introduce(child: Child) -> tuple[dict[str, Any], list[int]]:
    """The message by which an engine that did not start a container gets to know it."""
    names = {"pidfd": child.pidfd, **{f"fifo/{name}": fd for name, fd in child.held.items()}}
    message = {"is": "child", "id": child.id, "pid": child.pid, "start_time": child.start_time, "names": list(names)}
    return message, list(names.values())
