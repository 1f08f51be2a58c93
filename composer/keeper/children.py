"""What runs: containers, execs and jobs, from the moment their program runs until the last of their output is on disk.

Nothing here waits: an exit is a pidfd that becomes readable. It is journalled when it is reaped, and told when the pump has
moved the last of the container's output.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.keeper import fifos
from composer.keeper.auxiliary import Auxiliary
from composer.keeper.loop import Loop
from composer.keeper.luggage import Luggage
from composer.keeper.notes import note
from composer.keeper.sources import Sources
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

    def introduction(self) -> tuple[dict[str, Any], list[int]]:
        """The message by which an engine that did not start it gets to know it."""
        names = {"pidfd": self.pidfd, **{f"fifo/{name}": fd for name, fd in self.held.items()}}
        message = {"is": "child", "id": self.id, "pid": self.pid, "start_time": self.start_time, "names": list(names)}
        return message, list(names.values())

    def pack(self, luggage: Luggage) -> dict[str, Any]:
        """What another keeper needs to go on with it."""
        for fd in (self.pidfd, self.pty, *self.held.values()):
            luggage.add(fd)
        return {name: getattr(self, name) for name in self.__slots__}

    def close(self) -> None:
        """Let go of its descriptors."""
        for fd in (self.pidfd, *self.held.values(), self.pty):
            if fd >= 0:
                os.close(fd)


class Children:
    """All of them by id, and the pump, which moves their output.

    `on_end` is called when one has been reaped, `on_exit` when nothing more of it is to come.
    """

    def __init__(
        self, loop: Loop, known: Sources, on_end: Callable[[Child], None], on_exit: Callable[[Child], None]
    ) -> None:
        self._loop = loop
        self._on_end = on_end
        self._on_exit = on_exit
        self._children: dict[str, Child] = {}
        self.pump = Auxiliary(
            loop, "composer.keeper.pump", known, on_start=self._tell_pump_everything, on_message=self._on_pump
        )

    def __contains__(self, id_: str) -> bool:
        return id_ in self._children

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children.values())

    def add(self, child: Child) -> None:
        """Watch one that runs from now on."""
        self._children[child.id] = child
        if child.log:
            self.pump.want()
            self._tell_pump(child)
        self._watch(child)

    def kill(self) -> None:
        """Kill them all."""
        for child in self:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)

    def pack(self, luggage: Luggage) -> list[dict[str, Any]]:
        """What another keeper needs to go on with them."""
        return [child.pack(luggage) for child in self]

    def unpack(self, children: list[dict[str, Any]], pump: dict[str, Any]) -> None:
        """Go on where `pack` left off. The pump is of older code: it is started anew."""
        self.pump.unpack(pump)
        self.pump.restart()
        for packed in children:
            child = Child(**packed)
            self._children[child.id] = child
            if child.exit is None:
                self._watch(child)
            else:
                self._drain(child)

    def _watch(self, child: Child) -> None:
        self._loop.watch(child.pidfd, lambda: self._ended(child))

    def _ended(self, child: Child, tries: int = 0) -> None:
        """The pidfd became readable: learn the status, and have the rest of the output moved."""
        status = _status(child)
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
        self._on_end(child)
        self._drain(child)

    def _drain(self, child: Child) -> None:
        """Have the rest of an ended child's output moved."""
        if child.log:
            self.pump.send({"do": "drain", "id": child.id})
            self._loop.later(_DRAIN_SECONDS, lambda: self._drained(child, late=True))
        else:
            self._drained(child)

    def _drained(self, child: Child, *, late: bool = False) -> None:
        """All of its output is on disk, or took too long: the exit may be known."""
        if self._children.get(child.id) is not child or child.exit is None:
            return
        if late:
            note(f"{child.id}: its output was not drained in {_DRAIN_SECONDS} s")
            self.pump.send({"do": "forget", "id": child.id})
        del self._children[child.id]
        child.close()
        if child.fifos:
            fifos.remove(Path(child.fifos))
        self._on_exit(child)

    def _tell_pump(self, child: Child) -> None:
        """Have its output moved. The FIFOs themselves are sent: by the time a busy pump reads this, their names may be gone."""
        if "stdout" not in child.held:
            return  # an adopted one, whose FIFOs were gone when we came
        ends = [child.held["stdout"], child.pty if child.pty >= 0 else child.held["stderr"]]
        self.pump.send({"do": "pump", "id": child.id, "log": child.log, "tty": child.pty >= 0}, ends)

    def _tell_pump_everything(self) -> None:
        for child in self:
            if child.log:
                self._tell_pump(child)
                if child.exit:
                    self.pump.send({"do": "drain", "id": child.id})

    def _on_pump(self, message: dict[str, Any]) -> None:
        if message.get("is") == "drained" and (child := self._children.get(str(message.get("id")))):
            self._drained(child)


def _status(child: Child) -> int | None:
    """The exit status as far as it is known; None if there may be one later."""
    if not child.stranger:
        with contextlib.suppress(ChildProcessError):  # somebody else reaped it, against all rules
            return process.reap(child.pidfd)
    status = process.exit_of_stranger(child.pidfd)
    return -1 if status is None and not child.stranger else status
