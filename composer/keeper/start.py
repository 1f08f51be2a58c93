"""Starting one process: clone it, and listen on its channel until its program runs or a step failed."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.keeper import child, fifos, wire
from composer.keeper.luggage import Luggage
from composer.keeper.steps import Credentials, OnlyUser, Step, from_wire
from composer.kernel import clone, process
from composer.kernel.namespace import KINDS


@dataclass(frozen=True, slots=True)
class Request:
    """What the engine asked for; the fields are those of `client.Run`."""

    id: str
    steps: Sequence[Step]
    clone: tuple[str, ...] = ()
    enter: str = ""
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    log: str = ""
    fifos: str = ""
    keep_stdin: bool = False
    journal: bool = True

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Request:
        """The request in a `run` message. Raises KeyError, TypeError for what is none."""
        values = {name: message[name] for name in cls.__slots__ if name in message}
        # Decoded here, once: in the child, whose memory is still shared with ours, each new object costs a page fault.
        return cls(**values | {"clone": tuple(message.get("clone", ())), "steps": from_wire(message["steps"])})

    @property
    def uid(self) -> int:
        """Who the program will run as: the owner of its FIFOs. A user that is alone in its namespace is us."""
        if any(isinstance(step, OnlyUser) for step in self.steps):
            return 0
        return next((step.uid for step in self.steps if isinstance(step, Credentials)), 0)

    @property
    def fifo_names(self) -> list[str]:
        names = ["stdout", "stderr"] if self.log else []
        return [*names, "stdin"] if self.keep_stdin else names


@dataclass(slots=True)
class Start:
    """A start under way. `error` is set if a step failed; `finished` once the channel came to its end."""

    request: Request
    channel: socket.socket
    pid: int
    pidfd: int
    start_time: int
    reported: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    finished: bool = False
    _reached: bool = False
    _entered: bool = False

    @property
    def enters(self) -> bool:
        """Whether `pid` is still the one that goes into a container, and not yet the one that will run there."""
        return bool(self.request.enter) and not self._entered

    def listen(self) -> None:
        """Read what waits on the channel; after its end `finished` is true."""
        while not self.finished:
            try:
                received = wire.receive(self.channel)
            except BlockingIOError:
                return
            except (OSError, ValueError) as error:
                self._fail(f"prepare the process: {error}")
                received = None
            if received is None:
                self._end()
                return
            self._hear(*received)

    def pack(self, luggage: Luggage) -> dict[str, Any]:
        """What another program in our place needs to go on; its steps are with the child already."""
        for fd in (self.channel.fileno(), self.pidfd, *self.reported.values(), *self.held.values()):
            luggage.add(fd)
        request = {name: getattr(self.request, name) for name in Request.__slots__ if name != "steps"}
        own = {name: getattr(self, name) for name in self.__slots__ if name not in ("request", "channel")}
        return {**own, "request": request, "channel": self.channel.fileno()}

    @classmethod
    def unpack(cls, state: dict[str, Any]) -> Start:
        """The start that `pack` described. Raises KeyError, TypeError for what is none."""
        channel = socket.socket(fileno=state.pop("channel"))
        channel.setblocking(False)
        request = Request(steps=(), **state.pop("request"))
        begun = cls(request, channel, state.pop("pid"), state.pop("pidfd"), state.pop("start_time"))
        for name, value in state.items():
            setattr(begun, name, value)
        return begun

    def abandon(self) -> None:
        """Close every descriptor that this start holds."""
        for fd in (self.pidfd, *self.reported.values(), *self.held.values()):
            os.close(fd)

    def _hear(self, message: dict[str, Any], fds: list[int]) -> None:
        match message:
            case {"report": [*names]} if len(names) == len(fds):
                self.reported.update(zip(map(str, names), fds, strict=True))
            case {"entered": True} if len(fds) == 1:
                os.close(self.pidfd)
                self.pidfd = fds[0]
                self.pid = process.pid_of(self.pidfd)
                self.start_time = process.start_time(self.pid)
                self._entered = True
            case {"error": dict(error)}:
                self.error = self.error or error
            case {"exec": True}:
                self._reached = True
            case {"done": True}:
                self._reached = self.finished = True  # its exit may take the kernel a while: nobody waits for that
            case _:
                for fd in fds:
                    os.close(fd)

    def _end(self) -> None:
        self.finished = True
        if not self._reached and self.error is None:
            self._fail("prepare the process: it was killed before its program ran")

    def _fail(self, message: str) -> None:
        self.error = self.error or {"step": "", "errno": 0, "message": message}


def begin(request: Request, fds: dict[str, int], nofile: tuple[int, int]) -> Start:
    """Clone the process that `request` describes; `fds` stay the caller's. Raises OSError, KeyError."""
    directory = Path(request.fifos)
    if request.fifo_names:
        fifos.make(directory, request.fifo_names, request.uid)
    held = fifos.hold(directory) if request.fifo_names else {}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stdio: list[int] = []
    try:
        stdio.extend(_open_stdio(request, name, fds) for name in ("stdin", "stdout", "stderr"))
        namespaces = sum(KINDS[kind] for kind in request.clone if kind != "cgroup")
        enter = fds[request.enter] if request.enter else -1
        pid, pidfd = clone.clone3(namespaces | clone.CLONE_CLEAR_SIGHAND)
        if pid == 0:
            ours.close()
            child.live(
                theirs,
                request.steps,
                fds=fds,
                stdio=(stdio[0], stdio[1], stdio[2]),
                enter=enter,
                unshare_cgroup="cgroup" in request.clone,
                nofile=nofile,
            )
    except BaseException:
        ours.close()
        for fd in held.values():
            os.close(fd)
        if held:
            fifos.remove(directory)
        raise
    finally:
        theirs.close()
        for fd in stdio:
            os.close(fd)
    ours.setblocking(False)
    return Start(request, ours, pid, pidfd, process.start_time(pid), held=held)


def _open_stdio(request: Request, name: str, fds: dict[str, int]) -> int:
    """The child's end of one of its standard streams."""
    if given := getattr(request, name):
        return os.dup(fds[given])
    if name in request.fifo_names:
        # Reading and writing: a program whose keeper and engine both died gets no SIGPIPE from its own stdout.
        return os.open(Path(request.fifos, name), os.O_RDONLY if name == "stdin" else os.O_RDWR)
    return os.open("/dev/null", os.O_RDWR)


def raise_descriptor_limit() -> tuple[int, int]:
    """Let this process hold as many descriptors as it may; the limits as they were, for its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard
