"""The engine's side of the keeper, for asyncio: start processes, hear of exits, keep descriptors alive elsewhere.

Whatever the keeper holds for a container the client holds too (FIFOs, pidfds, store entries), without the engine
having to think of it: if the keeper dies nothing is dropped, and a new one gets it all back with `put` and `adopt`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from composer.errors import ContainerError, EngineError
from composer.keeper import steps, wire
from composer.keeper.conversation import Conversation, Take, lose
from composer.keeper.runs import Child, Exit, Run, Started
from composer.keeper.store import Store

_NOT_FOUND = {2, 20, 79}  # ENOENT, ENOTDIR, ELIBACC: see `program`
_NOT_EXECUTABLE = {8, 13, 21, 26}  # ENOEXEC, EACCES, EISDIR, ETXTBSY
_MOST_EXITS = 4096
"""Exits that nobody has waited for yet are kept up to this many."""


class Keeper:
    """A connection to the keeper. All methods raise KeeperLostError once it is lost."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._conversation = Conversation(sock, self._hear, self._on_end)
        self._exits: dict[str, int] = {}
        self._waiting: dict[str, list[asyncio.Future[int]]] = {}
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.code = ""
        """The checksum of the code that the keeper runs; "" for one that does not say."""
        self.is_retired = False
        """Another engine holds everything: we hold what we use, and only hear of exits."""
        self.children: dict[str, Child] = {}
        self.store = Store()
        self._on_exit: Callable[[Exit], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self._early: list[Exit] = []

    @classmethod
    async def connect(cls, path: Path) -> Keeper:
        """A connection, once everything the keeper knows has arrived. Raises EngineError if nobody listens.

        Exits that were not acknowledged are delivered to `on_exit` as soon as it is set and the loop turns.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            wire.connect(sock, path)
        except OSError as error:
            sock.close()
            raise EngineError(f"cannot reach the keeper at {path}: {(error.strerror or str(error)).lower()}") from error
        sock.setblocking(False)
        keeper = cls(sock)
        keeper._conversation.say({"do": "hello"})
        await keeper._ready
        return keeper

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return self._conversation.is_over

    @property
    def on_exit(self) -> Callable[[Exit], None] | None:
        """Called for every exit, in order; those that came before it was set follow at once."""
        return self._on_exit

    @on_exit.setter
    def on_exit(self, callback: Callable[[Exit], None] | None) -> None:
        self._on_exit = callback
        self._loop.call_soon(self._deliver)

    async def run(self, request: Run) -> Started:
        """Start a process; returns when its program runs, or when all steps are done if the list has no `Exec`.

        Raises ContainerError with the step and errno that failed; `exit_code` is 127 or 126 for a program that was
        not found or may not be executed. Nothing of a failed start remains.
        """
        self._exits.pop(request.id, None)
        message = {
            "do": "run",
            "id": request.id,
            "steps": steps.to_wire(request.steps),
            "clone": list(request.clone),
            "enter": request.enter,
            "names": list(request.fds),
            **{name: getattr(request, name) for name in _PLAIN_FIELDS},
        }
        answer, fds = await self._ask(
            message, list(request.fds.values()), lambda answer, fds: self._keep_own(request, answer, fds)
        )
        reported = dict(zip(answer["names"], fds, strict=True))
        return Started(answer["pid"], answer["start_time"], reported.pop("pidfd"), reported)

    async def wait(self, id_: str) -> int:
        """The exit status of something that `run` started; at once if it ended already."""
        if id_ in self._exits:
            return self._exits.pop(id_)
        self._conversation.raise_if_over()
        future: asyncio.Future[int] = self._loop.create_future()
        self._waiting.setdefault(id_, []).append(future)
        return await future

    async def put(self, name: str, meta: dict[str, Any], fds: Sequence[int]) -> None:
        """Have `fds` held as `name` by the keeper and by us (duplicates); they stay the caller's."""
        self.store.put(name, meta, [os.dup(fd) for fd in fds])
        await self._ask({"do": "put", "name": name, "meta": meta}, fds)

    async def drop(self, name: str) -> None:
        """Let go of what is held as `name`; nothing there is fine."""
        self.store.drop(name)
        await self._ask({"do": "drop", "name": name})

    async def adopt(
        self, id_: str, pid: int, start_time: int, pidfd: int, log: str, fifos: str, held: Sequence[int] = ()
    ) -> None:
        """Have a new keeper watch a container that another one started. `pidfd` and `held` stay the caller's.

        Its exit status is known where the kernel tells (6.15), else -1. Put `pty/<id>` first, if it has one.
        """
        self._know(id_, Child(pid, start_time, os.dup(pidfd), tuple(os.dup(fd) for fd in held)))
        message = {"do": "adopt", "id": id_, "pid": pid, "start_time": start_time, "log": log, "fifos": fifos}
        await self._ask(message, [pidfd])

    async def succeed(self, former: Keeper, output_of: Callable[[str], tuple[str, str]]) -> None:
        """Take over everything that the connection to a keeper that died held and watched; `former` has nothing then.

        The descriptors keep their numbers: whoever is about to use one may do so. All of it is ours at once, and the keeper
        process is told by and by; `output_of` says where the log and the FIFOs of a container are.
        """
        for name in former.store:
            self.store.drop(name)
        for id_ in former.children:
            self._forget(id_)
        self.store.update(former.store)
        self.children.update(former.children)
        former.store, former.children = Store(), {}
        for name, held in list(self.store.items()):
            await self._ask({"do": "put", "name": name, "meta": held.meta}, held.fds)
        for id_, child in list(self.children.items()):
            if self.children.get(id_) is child:
                log, fifos = output_of(id_)
                message = {"do": "adopt", "id": id_, "pid": child.pid, "start_time": child.start_time}
                await self._ask({**message, "log": log, "fifos": fifos}, [child.pidfd])

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """Let the journal forget the exits of `ids`."""
        await self._ask({"do": "acknowledge", "ids": list(ids)})

    async def status(self) -> dict[str, Any]:
        """Pids of `keeper`, `engine`, `pump`, `dataplane` (0: not running), and the `containers` that run.

        `engine` is who asks, `engines` are those that the keeper has started.
        """
        answer, _fds = await self._ask({"do": "status"})
        return {name: value for name, value in answer.items() if name not in ("is", "ticket")}

    async def retire(self, successor: Sequence[str]) -> None:
        """Have another engine started by this command; we stay connected, to hear how what we wait for ends."""
        await self._ask({"do": "retire", "successor": list(successor)})

    async def upgrade(self, command: Sequence[str]) -> None:
        """Have the keeper execute `command` in its place, as the same process, with all its children and descriptors.

        Returns when that runs. Raises ContainerError where it would not run, and the keeper stays what it is.
        """
        await self._ask({"do": "upgrade", "command": list(command)})

    async def stop(self) -> None:
        """End pump, data plane and keeper. Raises ContainerError while containers run."""
        self.on_lost = None
        await self._ask({"do": "stop"})

    def close(self) -> None:
        """End the connection; the keeper and its containers live on. Held descriptors are closed."""
        self._conversation.end()
        for id_ in list(self.children):
            self._forget(id_)
        for name in list(self.store):
            self.store.drop(name)

    async def _ask(
        self, message: dict[str, Any], fds: Sequence[int] = (), take: Take | None = None
    ) -> tuple[dict[str, Any], list[int]]:
        answer, received = await self._conversation.ask(message, fds, take)
        if answer["is"] == "failed":
            raise _error(answer)
        return answer, received

    def _hear(self, message: dict[str, Any], fds: list[int]) -> None:
        match message:
            case {"is": "ready"}:
                self.code = str(message.get("code", ""))
                self._ready.set_result(None)
            case {"is": "held", "name": name, "meta": meta}:
                self.store.put(name, meta, fds)
            case {"is": "child", "id": id_, "pid": pid, "start_time": start_time}:
                self._know(id_, Child(pid, start_time, fds[0], tuple(fds[1:])))
            case {"is": "succeeded"}:
                self._release()
            case {"is": "dropped", "name": name}:
                self.store.drop(name)
            case {"is": "exit", "id": id_, "pid": pid, "status": status, "time": time}:
                self._exited(Exit(id_, pid, status, time, bool(message.get("journal", True))))
            case _:
                for fd in fds:
                    os.close(fd)

    def _keep_own(self, run: Run, message: dict[str, Any], fds: list[int]) -> list[int]:
        """Take the FIFOs and our own pidfd out of a `started` message; what is left is the caller's."""
        if message["is"] != "started":
            return fds
        named = dict(zip(message["names"], fds, strict=True))
        fifos = {name: named.pop(name) for name in list(named) if name.startswith("fifo/")}
        if run.keep_stdin and "fifo/stdin" in fifos:
            named["stdin"] = os.open(f"/proc/self/fd/{fifos['fifo/stdin']}", os.O_WRONLY | os.O_NONBLOCK)
        if run.journal:
            child = Child(message["pid"], message["start_time"], os.dup(named["pidfd"]), tuple(fifos.values()))
            self._know(run.id, child)
        else:
            for fd in fifos.values():
                os.close(fd)
        if not any(isinstance(step, steps.Exec) for step in run.steps):
            self._exits[run.id] = 0
        message["names"] = list(named)
        return list(named.values())

    def _know(self, id_: str, child: Child) -> None:
        self._forget(id_)
        self.children[id_] = child

    def _release(self) -> None:
        """Our successor has everything: a port or an input that it lets go of must not stay open here."""
        self.is_retired = True
        for name in list(self.store):
            self.store.drop(name)
        for id_, child in self.children.items():
            for fd in child.held:
                os.close(fd)
            self.children[id_] = replace(child, held=())

    def _forget(self, id_: str) -> None:
        if child := self.children.pop(id_, None):
            for fd in (child.pidfd, *child.held):
                os.close(fd)

    def _exited(self, exit_: Exit) -> None:
        self._forget(exit_.id)
        waiting = [future for future in self._waiting.pop(exit_.id, ()) if not future.done()]
        for future in waiting:
            future.set_result(exit_.status)
        if not waiting:
            self._exits[exit_.id] = exit_.status
            while len(self._exits) > _MOST_EXITS:
                del self._exits[next(iter(self._exits))]
        self._early.append(exit_)
        self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        while self._early and self._on_exit is not None:
            self._on_exit(self._early.pop(0))

    def _on_end(self) -> None:
        """The keeper's socket ended: whoever waits hears of it, once."""
        lose(self._ready)
        for futures in self._waiting.values():
            for future in futures:
                lose(future)
        self._waiting.clear()
        if self.on_lost is not None:
            self.on_lost()


_PLAIN_FIELDS = ("stdin", "stdout", "stderr", "log", "fifos", "keep_stdin", "journal")


def _error(message: dict[str, Any]) -> ContainerError:
    number = int(message.get("errno", 0))
    step = str(message.get("step", ""))
    exit_code = 1
    if step == "Exec":
        exit_code = 127 if number in _NOT_FOUND else 126 if number in _NOT_EXECUTABLE else 1
    about = str(message.get("about", ""))
    return ContainerError(str(message.get("message", "")), step=step, about=about, errno=number, exit_code=exit_code)
