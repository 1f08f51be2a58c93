"""A process that is forked before anybody asks for it, and has its own pages by then.

Most of what a short command costs is that it writes to memory which it shares with the forkserver: a thousand pages and more,
copied one by one. A spare process has done that: it has run a command that does nothing, and waits for a client to become its
command. It ends with the forkserver, by the end of the socket between them.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from typing import NoReturn

from composer.forkserver import command
from composer.forkserver.preload import rehearse
from composer.forkserver.request import Reader
from composer.kernel import process

LARGEST = 65536
"""Bytes of a request that the socket takes at once (`net.core.wmem_default` is more): nobody waits for a spare process."""


class Spare:
    """The process that waits, as the forkserver sees it."""

    def __init__(self) -> None:
        """Fork it. Raises OSError."""
        self._socket, theirs = socket.socketpair()
        try:
            self.pid = command.fork()
        except OSError:
            self._socket.close()
            theirs.close()
            raise
        if self.pid == 0:
            _wait(theirs)
        theirs.close()

    def give(self, connection: socket.socket, reader: Reader) -> None:
        """Have it be the command that `reader` has read from `connection`. Raises OSError if it is gone."""
        socket.send_fds(self._socket, [b"c"], [connection.fileno()])
        record = reader.record
        sent = socket.send_fds(self._socket, [record], reader.fds)
        self._socket.sendall(record[sent:])
        self.close()

    def end(self) -> None:
        """Have it gone."""
        self.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def close(self) -> None:
        """Let go of it: it is somebody's command now, or gone."""
        self._socket.close()


def _wait(forkserver: socket.socket) -> NoReturn:
    """Be the process: never returns."""
    signal.set_wakeup_fd(-1)
    process.close_all_but({0, 1, 2, forkserver.fileno()})
    try:
        rehearse()
        _, fds, _, _ = socket.recv_fds(forkserver, 1, 1)
        connection, reader = _only(fds), Reader()
        while (request := reader.read(forkserver)) is None:
            pass
    except BaseException:  # the forkserver is gone, or has nothing for us any more
        os._exit(1)
    command.live(connection, request, reader.fds)


def _only(fds: Sequence[int]) -> socket.socket:
    (fd,) = fds
    return socket.socket(fileno=fd)
