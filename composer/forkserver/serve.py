"""Connections of clients: each asks once, gets a process, and hears how that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from composer import client
from composer.forkserver import command
from composer.forkserver.identity import identify, peer
from composer.forkserver.request import Reader, Request
from composer.forkserver.spare import LARGEST, Spare
from composer.keeper.loop import Loop
from composer.keeper.notes import note
from composer.keeper.sources import Sources, is_current

_OWN = frozenset({"login", "logout"})
"""Commands that may ask on /dev/tty or start helpers that do: they need the session of the terminal."""

_KEPT_SECONDS = 60.0
"""How long a spare process may wait: it has 6 MB of its own."""


@dataclass(slots=True)
class _Asking:
    """A connection; `pid` is its command's, once there is one."""

    socket: socket.socket
    reader: Reader = field(default_factory=Reader)
    pid: int = 0


class Server:
    """Serves clients; `outdated` is called when what we have imported is no longer what is installed."""

    def __init__(self, loop: Loop, listener: socket.socket, known: Sources, outdated: Callable[[], None]) -> None:
        self._loop = loop
        self._listener = listener
        self._known = known
        self._outdated = outdated
        self._ourselves = identify(os.getpid())
        self._connections: dict[int, _Asking] = {}
        self._spare: Spare | None = None
        self._closed = False
        loop.watch(listener.fileno(), self._accept)

    def prepare(self) -> None:
        """Have a process ready for the next client, unless commands run: those need the processors now."""
        if self._spare is None and not self._closed and not any(each.pid for each in self._connections.values()):
            try:
                spare = self._spare = Spare()
            except OSError as error:
                note(f"forkserver: no spare process: {error.strerror}")
            else:
                self._loop.later(_KEPT_SECONDS, lambda: self._dismiss(spare))

    def reap(self) -> None:
        """Tell clients what became of their commands."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._spare is not None and pid == self._spare.pid:
                self._lose_spare(status)
                continue
            asking = next((each for each in self._connections.values() if each.pid == pid), None)
            if os.WIFSTOPPED(status):
                self._tell(asking, b"stopped\n")
                continue
            if os.WIFSIGNALED(status):
                self._tell(asking, b"signal %d\n" % os.WTERMSIG(status))
            else:
                self._tell(asking, b"exit %d\n" % os.WEXITSTATUS(status))
            if asking is not None:
                asking.pid = 0
                self._forget(asking)
            self.prepare()

    def close(self) -> None:
        """Take no more clients. Commands under way go on: they tell their clients themselves how they end."""
        self._closed = True
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        self._dismiss(self._spare)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            note(f"forkserver: accept: {error.strerror}")
            return
        asking = self._connections[connection.fileno()] = _Asking(connection)
        self._loop.watch(connection.fileno(), lambda: self._hear(asking))

    def _hear(self, asking: _Asking) -> None:
        """Something came from a client: a piece of its request, or, once its command runs, its end."""
        try:
            request = None if asking.pid else asking.reader.read(asking.socket)
            if asking.pid and not asking.socket.recv(1):
                raise EOFError
        except (EOFError, OSError):
            self._gone(asking)
        except ValueError as error:
            note(f"forkserver: {error}")
            self._decline(asking)
        else:
            if request is not None:
                self._begin(asking, request)

    def _begin(self, asking: _Asking, request: Request) -> None:
        try:
            if not self._is_ours(request) or identify(peer(asking.socket)) != self._ourselves:
                self._decline(asking)
                return
            asking.pid = self._give_spare(asking) or command.fork()
        except (OSError, KeyError, ValueError) as error:
            note(f"forkserver: {error}")
            self._decline(asking)
            return
        if asking.pid == 0:
            self._only(asking)
            command.live(asking.socket, request, asking.reader.fds)
        asking.reader.close()
        pidfd = os.pidfd_open(asking.pid)
        with contextlib.suppress(OSError):
            socket.send_fds(asking.socket, [b"started\n"], [pidfd])
        os.close(pidfd)

    def _give_spare(self, asking: _Asking) -> int:
        """The pid of the process that waited for this; 0 if none did."""
        spare = self._spare
        if spare is None or len(asking.reader.record) > LARGEST:
            return 0
        self._spare = None
        try:
            spare.give(asking.socket, asking.reader)
        except OSError as error:  # somebody killed it
            note(f"forkserver: the spare process: {error.strerror}")
            spare.end()
            return 0
        return spare.pid

    def _dismiss(self, spare: Spare | None) -> None:
        """Let a spare process go, if it still waits."""
        if spare is not None and spare is self._spare:
            spare.end()
            self._spare = None

    def _lose_spare(self, status: int) -> None:
        """Somebody killed it: the end of the next command brings another, this one's end does not."""
        if self._spare is not None and not os.WIFSTOPPED(status):
            self._spare.close()
            self._spare = None

    def _only(self, asking: _Asking) -> None:
        """In the child: everybody else's connections are not ours."""
        for other in self._connections.values():
            if other is not asking:
                other.reader.close()
                other.socket.close()

    def _is_ours(self, request: Request) -> bool:
        """Whether the client is of this copy, and the command one that may run here."""
        if (request.package, request.prefix, request.version) != (client.HERE, sys.prefix, sys.version):
            return False
        if not is_current(self._known):
            self._outdated()
            return False
        return command_word(request.arguments[1:]) not in _OWN

    def _gone(self, asking: _Asking) -> None:
        """The client was killed: what it would have run ends with it."""
        if asking.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(asking.pid, signal.SIGKILL)
        self._forget(asking)

    def _decline(self, asking: _Asking) -> None:
        self._tell(asking, b"declined\n")
        self._forget(asking)

    def _tell(self, asking: _Asking | None, line: bytes) -> None:
        if asking is not None:
            with contextlib.suppress(OSError):
                asking.socket.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def _forget(self, asking: _Asking) -> None:
        if self._connections.pop(asking.socket.fileno(), None) is not None:
            self._loop.unwatch(asking.socket.fileno())
            asking.reader.close()
            asking.socket.close()


_WITH_VALUE = frozenset(
    {"-f", "--file", "-p", "--project-name", "--profile", "--env-file", "--project-directory", "--progress", "--ansi"}
)


def command_word(arguments: tuple[str, ...]) -> str:
    """The command of a command line: the first word that is neither a global option nor the value of one."""
    words = iter(arguments)
    for word in words:
        if word in _WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            return word
    return ""
