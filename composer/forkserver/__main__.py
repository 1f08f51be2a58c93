"""`python -m composer.forkserver`: import everything, listen, fork a process for each command, end with the keeper.

Started by a command that ran without it. It binds its socket first, which keeps others from starting one more, and listens
when everything is imported: until then commands are refused, and run by themselves rather than wait. It ends when no keeper
is alive any more, and when the installed files have changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

from composer.api.starter import has_forkserver, keeper_pid
from composer.forkserver.preload import preload
from composer.forkserver.serve import Server
from composer.keeper import signals
from composer.keeper.loop import Loop
from composer.keeper.notes import note
from composer.paths import Paths

_RETURNS_WITHIN = 20.0
"""Seconds in which an engine has started the keeper again that it has lost; a tenth of one where nothing is slow."""
_LOOK_AGAIN = 0.5


class House:
    """The process: what it serves, and how it ends."""

    def __init__(self, paths: Paths, listener: socket.socket, keeper: int) -> None:
        self._paths = paths
        self._loop = Loop()
        self._keeper = -1
        self._until = 0.0
        """When a lost keeper counts as gone for good."""
        known = preload()
        listener.listen(64)
        self._server = Server(self._loop, listener, known, self._leave)
        signals.watch(self._loop, self._heed)
        self._watch_keeper(keeper)

    def live(self) -> None:
        """Serve until the keeper has gone."""
        gc.collect()
        gc.freeze()  # a command touches no page of what exists now: copy-on-write stays cheap
        self._server.prepare()
        self._loop.run()

    def _watch_keeper(self, pid: int) -> None:
        try:
            self._keeper = os.pidfd_open(pid)
        except (ProcessLookupError, ValueError):
            self._look_again()
            return
        self._loop.watch(self._keeper, self._lost)

    def _lost(self) -> None:
        self._loop.unwatch(self._keeper)
        os.close(self._keeper)
        self._until = time.monotonic() + _RETURNS_WITHIN
        self._look_again()

    def _look_again(self) -> None:
        if not self._paths.keeper_socket.exists():  # it has left, rather than died
            self._leave()
        elif pid := keeper_pid(self._paths):
            self._watch_keeper(pid)
        elif time.monotonic() < self._until:
            self._loop.later(_LOOK_AGAIN, self._look_again)
        else:
            self._leave()

    def _leave(self) -> None:
        self._paths.fork_socket.unlink(missing_ok=True)
        self._server.close()
        self._loop.stop()

    def _heed(self, numbers: set[int]) -> None:
        if signal.SIGTERM in numbers:
            self._leave()
        self._server.reap()


def main() -> int:
    """Run the forkserver; the exit status of the process."""
    paths = Paths.current()
    keeper = keeper_pid(paths)
    with _alone(paths):
        if not keeper or has_forkserver(paths):
            return 0
        listener = _bind(paths)
    House(paths, listener, keeper).live()
    return 0


@contextlib.contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    descriptor = os.open(paths.start_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _bind(paths: Paths) -> socket.socket:
    """A socket, mode 0600: whoever may connect is our user."""
    paths.fork_socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(paths.fork_socket))
    finally:
        os.umask(mask)
    return listener


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        note(f"forkserver: {error}")
        sys.exit(1)
