"""The pump: a process that moves containers' output from their FIFOs to their logs (`python -m … <socket>`).

Its own process, so that a slow disk stops neither starting nor reaping. It can be killed at any time: whatever it has
not moved waits in the FIFOs, and the keeper starts a new one and tells it everything again.

Told by the keeper: `pump` (id, log, tty; beside it the FIFO for stdout, and that for stderr or a pty master), `drain` (id: move
what is left, answer `drained`), `forget` (id).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from composer.keeper import wire
from composer.keeper.logfile import LogFile
from composer.keeper.logs import Stream
from composer.keeper.loop import Loop
from composer.keeper.notes import note

PATIENCE_SECONDS = 3.0
"""How long a container may be held up by a full disk before its output is dropped."""
_RETRY_SECONDS = 0.2
_TOO_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS})


class Source:
    """One FIFO, or a pty with the FIFO that its output passes through, on its way to a log."""

    def __init__(self, log: LogFile, fifo: int, stream: Stream, pty: int = -1) -> None:
        self._log = log
        self._fifo = fifo
        self._stream = stream
        self._pty = pty
        self._refused_since = 0.0
        self._lost = 0
        self.is_hung_up = False
        """Nobody has the terminal open at the moment; it would be readable all the time."""

    @property
    def fds(self) -> tuple[int, ...]:
        """What to poll."""
        return (self._fifo,) if self._pty < 0 else (self._pty,)

    def move(self) -> bool:
        """Move a piece; whether there was one. Raises OSError (ENOSPC, ...) while a full disk is still waited for."""
        self.is_hung_up = False
        from_pty = self._fill_fifo()
        try:
            moved = self._log.move(self._fifo, self._stream, self._lost) > 0
        except BlockingIOError:
            return from_pty
        except OSError as error:
            if error.errno not in _TOO_FULL:
                raise
            self._refuse()
            return True
        if self._lost and moved:
            note(f"{self._lost} bytes of output were lost: the disk was full")
            self._lost = 0
        self._refused_since = 0.0
        return moved or from_pty

    def _refuse(self) -> None:
        """The disk takes nothing: wait a while, then drop, so that the container goes on."""
        now = time.monotonic()
        self._refused_since = self._refused_since or now
        if now - self._refused_since < PATIENCE_SECONDS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            self._lost += len(os.read(self._fifo, 1 << 16))
        except BlockingIOError:
            return

    def _fill_fifo(self) -> bool:
        """Move what the terminal shows into the FIFO: a pty does not splice into a file."""
        if self._pty < 0:
            return False
        try:
            return os.splice(self._pty, self._fifo, 1 << 14, flags=os.SPLICE_F_NONBLOCK) > 0
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.is_hung_up = True
            return False

    def close(self) -> None:
        """Mark what was lost at the end, and close what is ours."""
        if self._lost:
            try:
                self._log.mark_gap(self._lost)
            except OSError as error:
                note(f"{self._lost} bytes of output were lost, and there is no room to say so: {error.strerror}")
        os.close(self._fifo)
        if self._pty >= 0:
            os.close(self._pty)


class Pump:
    """All sources, by container id."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = Loop()
        self._sock = sock
        self._sources: dict[str, tuple[LogFile, list[Source]]] = {}
        self._loop.watch(sock.fileno(), self._told)

    def run(self) -> None:
        """Move until the keeper is gone."""
        self._loop.run()

    def _told(self) -> None:
        try:
            received = wire.receive(self._sock)
        except ValueError as error:
            note(str(error))
            return
        if received is None:
            self._loop.stop()
            return
        message, fds = received
        try:
            self._do(message, fds)
        except (OSError, KeyError, ValueError) as error:
            note(f"{message}: {error}")
            self._answer_drained(message)
        finally:
            for fd in fds:
                os.close(fd)

    def _do(self, message: dict[str, Any], fds: list[int]) -> None:
        match message["do"]:
            case "pump":
                self._add(message["id"], Path(message["log"]), fds, tty=message["tty"])
            case "drain":
                self._drain(message["id"])
                self._answer_drained(message)
            case "forget":
                self._remove(message["id"])
            case unknown:
                note(f"`{unknown}` is nothing that a pump does")

    def _answer_drained(self, message: dict[str, Any]) -> None:
        if message.get("do") == "drain":
            wire.send(self._sock, {"is": "drained", "id": message["id"]})

    def _add(self, id_: str, directory: Path, fds: list[int], *, tty: bool) -> None:
        """Move what comes by stdout and stderr, or from a terminal by way of stdout. Descriptors that we keep leave `fds`."""
        self._remove(id_)
        log = LogFile(directory)
        stdout, other = fds
        fds.clear()
        if tty:
            os.set_blocking(other, False)
            sources = [Source(log, stdout, Stream.TTY, other)]
        else:
            sources = [Source(log, stdout, Stream.STDOUT), Source(log, other, Stream.STDERR)]
        self._sources[id_] = (log, sources)
        for source in sources:
            self._watch(source)

    def _watch(self, source: Source) -> None:
        for fd in source.fds:
            self._loop.watch(fd, lambda: self._move(source))

    def _move(self, source: Source) -> None:
        try:
            source.move()
        except OSError as error:
            # Not again at once, or we would spin.
            if error.errno not in _TOO_FULL:
                note(f"moving output: {error}")
            self._pause(source)
        else:
            if source.is_hung_up:
                self._pause(source)

    def _pause(self, source: Source) -> None:
        for fd in source.fds:
            self._loop.unwatch(fd)
        self._loop.later(_RETRY_SECONDS, lambda: self._try_again(source))

    def _try_again(self, source: Source) -> None:
        if any(source in sources for _log, sources in self._sources.values()):
            self._watch(source)

    def _drain(self, id_: str) -> None:
        """Move everything that waits, the FIFOs in turn, and let go. The container is gone: nothing more comes."""
        _log, sources = self._sources[id_]
        deadline = time.monotonic() + PATIENCE_SECONDS
        todo = list(sources)
        while todo and time.monotonic() < deadline:
            for source in list(todo):
                try:
                    if not source.move():
                        todo.remove(source)
                except OSError:
                    time.sleep(_RETRY_SECONDS)
        self._remove(id_)

    def _remove(self, id_: str) -> None:
        if id_ not in self._sources:
            return
        log, sources = self._sources.pop(id_)
        for source in sources:
            for fd in source.fds:
                self._loop.unwatch(fd)
            source.close()
        try:
            log.close()
        except OSError as error:
            note(f"{id_}: the end of its log is not indexed: {error.strerror}")


def main() -> None:
    """Pump for the keeper on the socket whose number is our argument."""
    Pump(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
