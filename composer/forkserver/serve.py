"""Connections of clients: each asks once, gets a process, and hears how that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from composer import client
from composer.forkserver import command
from composer.forkserver.identity import identify, manners
from composer.forkserver.request import Reader, Request
from composer.keeper.loop import Loop
from composer.keeper.notes import note
from composer.keeper.sources import Sources, is_current

_OWN = frozenset({"login", "logout"})
"""Commands that may ask on /dev/tty or start helpers that do: they need the session of the terminal."""


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
        loop.watch(listener.fileno(), self._accept)

    def reap(self) -> None:
        """Tell clients what became of their commands."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            asking = next((each for each in self._connections.values() if each.pid == pid), None)
            if os.WIFSTOPPED(status):
                self._tell(asking, b"stopped\n")
            elif os.WIFSIGNALED(status):
                self._tell(asking, b"signal %d\n" % os.WTERMSIG(status))
            else:
                self._tell(asking, b"exit %d\n" % os.WEXITSTATUS(status))
            if asking is not None and not os.WIFSTOPPED(status):
                asking.pid = 0
                self._forget(asking)

    def close(self) -> None:
        """Take no more clients. Commands under way go on: they tell their clients themselves how they end."""
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()

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
        pid = _peer(asking.socket)
        try:
            if not self._is_ours(request) or identify(pid) != self._ourselves:
                self._decline(asking)
                return
            taken = manners(pid)
            signal.pthread_sigmask(signal.SIG_BLOCK, command.HELD)
            asking.pid = os.fork()
        except (OSError, KeyError, ValueError) as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, command.HELD)
            note(f"forkserver: {error}")
            self._decline(asking)
            return
        if asking.pid == 0:
            self._only(asking)
            command.live(asking.socket, request, taken, asking.reader.fds)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, command.HELD)
        asking.reader.close()
        pidfd = os.pidfd_open(asking.pid)
        with contextlib.suppress(OSError):
            socket.send_fds(asking.socket, [b"started\n"], [pidfd])
        os.close(pidfd)

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


def _peer(connection: socket.socket) -> int:
    """The pid of whoever connected (`struct ucred`)."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("iII", packed)[0])


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
