"""Processes that the keeper starts beside containers, and starts again when they die: engine, data plane, pump.

They are forked, and share what the keeper has imported; where that is not what is installed any more, executed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from composer.keeper import launch, wire
from composer.keeper.loop import Loop
from composer.keeper.luggage import Luggage
from composer.keeper.notes import note
from composer.keeper.outbox import Outbox
from composer.keeper.sources import Sources, is_current
from composer.kernel import clone, privilege, process

_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0
_LONG_LIFE = 10.0
"""A process that lived so long is started again without a pause."""


class Auxiliary:
    """One Python module as a process, with a SEQPACKET socket to it where `talks`; `known` is what the keeper is made of.

    It is not started (again) while `unless` holds: somebody else does its work. `on_start` is called after each start,
    to tell it everything again; `on_message` for what it says. It dies with the keeper unless `survives`.
    """

    def __init__(
        self,
        loop: Loop,
        module: str,
        known: Sources,
        *,
        arguments: tuple[str, ...] = (),
        talks: bool = True,
        survives: bool = False,
        log: Path | None = None,
        unless: Callable[[], bool] = lambda: False,
        on_start: Callable[[], None] = lambda: None,
        on_message: Callable[[dict[str, Any]], None] = lambda message: None,
    ) -> None:
        self._loop = loop
        self._module = module
        self._known = known
        self._arguments = arguments
        self._talks = talks
        self._survives = survives
        self._log = log
        self._unless = unless
        self._on_start = on_start
        self._on_message = on_message
        self._command: list[str] = []
        self.wanted = False
        self.pid = 0
        self._pidfd = -1
        self._sock: socket.socket | None = None
        self._outbox: Outbox | None = None
        self._started = 0.0
        self._pause = _SHORTEST_PAUSE

    def want(self) -> None:
        """Start it unless it runs, and start it again whenever it ends."""
        if not self.wanted:
            self.wanted = True
            self._start()

    def replace(self, command: list[str]) -> None:
        """Let go of the process there is, which ends by itself, and start it by this command from now on."""
        self._command = self._unless_ours(command)
        self.wanted = False
        if self.pid:
            self._let_go()

    def end(self) -> None:
        """Ask it to end (SIGTERM), and do not start it again."""
        self.wanted = False
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)

    def retire(self) -> None:
        """Have it end when what it does has come to its end, and do not start it again."""
        self.send({"do": "retire"})
        self.wanted = False

    def restart(self) -> None:
        """Kill it; if it is wanted it is started again at once."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    @property
    def is_settled(self) -> bool:
        """Whether everything that it was told has been sent."""
        return not self._outbox

    def pack(self, luggage: Luggage) -> dict[str, Any]:
        """What another keeper needs to go on with this process."""
        sock = self._sock.fileno() if self._sock is not None else -1
        state = {"wanted": self.wanted, "pid": self.pid, "command": self._command}
        return {**state, "pidfd": luggage.add(self._pidfd if self.pid else -1), "sock": luggage.add(sock)}

    def unpack(self, state: dict[str, Any]) -> None:
        """Go on with a process that our predecessor started."""
        self.wanted, self.pid, self._pidfd = bool(state["wanted"]), int(state["pid"]), int(state["pidfd"])
        self._command = self._unless_ours([str(word) for word in state["command"]])
        if self.pid:
            self._loop.watch(self._pidfd, self._ended)
        if state["sock"] >= 0:
            self._listen(socket.socket(fileno=int(state["sock"])))

    def _unless_ours(self, command: list[str]) -> list[str]:
        """The command, or none if it is what we would do without: then the process can be forked."""
        return [] if command == launch.command(self._module, packages=not self._talks) else command

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Tell it something; lost if it is not there, which is what `on_start` makes good."""
        if self._outbox is None or self._sock is None:
            return
        try:
            self._outbox.send(message, fds)
            self._want_write()
        except OSError:
            return  # it is dying; its pidfd will tell

    def _start(self) -> None:
        if not self.wanted or self.pid:
            return
        if self._unless():
            self.wanted = False
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.pid, self._pidfd = clone.clone3(0)
        except OSError as error:
            ours.close()
            theirs.close()
            note(f"{self._module}: {error.strerror}; trying again")
            self._loop.later(_LONGEST_PAUSE / 5, self._start)
            return
        if self.pid == 0:
            self._become(theirs)
        theirs.close()
        self._started = time.monotonic()
        self._loop.watch(self._pidfd, self._ended)
        if self._talks:
            self._listen(ours)
        else:
            ours.close()
        self._on_start()

    def _listen(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock, self._outbox = sock, Outbox(sock)
        self._loop.watch(sock.fileno(), self._readable)

    def _become(self, sock: socket.socket) -> None:
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            if not self._survives:
                privilege.prctl(privilege.PR_SET_PDEATHSIG, signal.SIGKILL, about="PR_SET_PDEATHSIG")
            if self._log:
                log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                os.dup2(log, 1, inheritable=True)
                os.dup2(log, 2, inheritable=True)
            keep = [sock.fileno()] if self._talks else []
            arguments = [*(str(fd) for fd in keep), *self._arguments]
            if not self._command and is_current(self._known):
                launch.become(self._module, *arguments, keep=keep, packages=not self._talks)
            sock.set_inheritable(self._talks)
            command = self._command or launch.command(self._module, *arguments, packages=not self._talks)
            os.execv(command[0], command)  # noqa: S606 - a process of ours
        except BaseException as error:
            note(f"{self._module}: {error}")
            os._exit(127)

    def _readable(self) -> None:
        if self._sock is None:
            return
        try:
            received = wire.receive(self._sock)
        except BlockingIOError:
            return
        except ValueError as error:
            note(f"{self._module}: {error}")
            return
        except OSError:
            received = None
        if received is None:
            self._loop.unwatch(self._sock.fileno())
            return
        message, fds = received
        for fd in fds:
            os.close(fd)
        self._on_message(message)

    def _flush(self) -> None:
        if self._outbox is None:
            return
        try:
            self._outbox.flush()
        except OSError:
            self._outbox.close()
        self._want_write()

    def _want_write(self) -> None:
        if self._sock is not None:
            self._loop.want_write(self._sock.fileno(), self._flush if self._outbox else None)

    def _ended(self) -> None:
        try:
            status = process.reap(self._pidfd)
        except ChildProcessError:
            status = -1
        if status is None:
            return
        note(f"{self._module} [{self.pid}] ended with status {status}")
        self._let_go()
        lived_long = time.monotonic() - self._started > _LONG_LIFE
        self._pause = _SHORTEST_PAUSE if lived_long else min(self._pause * 2, _LONGEST_PAUSE)
        self._loop.later(0 if lived_long else self._pause / 2, self._start)

    def _let_go(self) -> None:
        self._loop.unwatch(self._pidfd)
        os.close(self._pidfd)
        self.pid = 0
        if self._sock is not None and self._outbox is not None:
            self._loop.unwatch(self._sock.fileno())
            self._outbox.close()
            self._sock.close()
            self._sock = self._outbox = None
