"""One direction of a relayed connection: bytes from one socket to another.

What is small is read and written; once a read fills the buffer, the rest goes through a pipe with `splice(2)` and is
never copied. What was read is written before more is read, so a slow reader slows the writer down by TCP's own means.
A pipe is lent only while there is something in it: idle connections cost two descriptors.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket

BUFFER = 65536
PIPE = 1 << 20
_TURN = 16
"""Reads in one go, before other connections get their turn."""
_SPARE_PIPES = 16
_MOVE = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK

_buffer = bytearray(BUFFER)
_view = memoryview(_buffer)


class Pipes:
    """Empty pipes to lend."""

    def __init__(self) -> None:
        self._spare: list[tuple[int, int]] = []

    def lend(self) -> tuple[int, int]:
        """An empty pipe (read end, write end), of a megabyte where the user's quota allows it (`pipe(7)`)."""
        if self._spare:
            return self._spare.pop()
        pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, PIPE)
        return pipe

    def give_back(self, pipe: tuple[int, int], *, empty: bool) -> None:
        """Take a pipe back; one with something in it is closed."""
        if empty and len(self._spare) < _SPARE_PIPES:
            self._spare.append(pipe)
        else:
            os.close(pipe[0])
            os.close(pipe[1])


class Flow:
    """From `source` to `sink`, both non-blocking; after the source's end the sink is shut down for writing."""

    __slots__ = ("_bulk", "_ended", "_pending", "_pipe", "_piped", "_pipes", "blocked", "done", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket, pipes: Pipes) -> None:
        self.source = source
        self.sink = sink
        self.blocked = False
        """Waiting for the sink to become writable."""
        self.done = False
        """Everything up to the source's end has been passed on."""
        self._pipes = pipes
        self._pipe: tuple[int, int] | None = None
        self._piped = 0
        self._pending = b""
        self._bulk = False
        self._ended = False

    def pump(self) -> bool:
        """Move what can be moved now; True if there may be more and others should have their turn first.

        Raises OSError when either side is broken.
        """
        self.blocked = False
        for _ in range(_TURN):
            if not self._flush():
                self.blocked = True
                return False
            if self._ended:
                self._finish()
                return False
            if not self._fill():
                return False
        return True

    def close(self) -> None:
        """Give the pipe back."""
        if self._pipe is not None:
            self._pipes.give_back(self._pipe, empty=self._piped == 0)
            self._pipe = None

    def _fill(self) -> bool:
        """Read once; False if there is nothing to read now."""
        try:
            if self._bulk:
                if self._pipe is None:
                    self._pipe = self._pipes.lend()
                count = self._piped = os.splice(self.source.fileno(), self._pipe[1], PIPE, flags=_MOVE)
            else:
                count = self.source.recv_into(_buffer)
                self._pending = self._send_some(count)
                self._bulk = count == BUFFER
        except BlockingIOError:
            self.close()
            return False
        self._ended = count == 0
        return True

    def _send_some(self, count: int) -> bytes:
        """Send the first `count` bytes of the buffer; what did not go, copied: the buffer is everybody's."""
        if not count:
            return b""
        try:
            sent = self.sink.send(_view[:count])
        except BlockingIOError:
            sent = 0
        return bytes(_view[sent:count])

    def _flush(self) -> bool:
        """Write what was read; False if the sink takes no more for now."""
        try:
            while self._pending:
                self._pending = self._pending[self.sink.send(self._pending) :]
            while self._piped and self._pipe is not None:
                self._piped -= os.splice(self._pipe[0], self.sink.fileno(), self._piped, flags=_MOVE)
        except BlockingIOError:
            return False
        return True

    def _finish(self) -> None:
        self.done = True
        self.close()
        with contextlib.suppress(OSError):  # the other side may be gone altogether already
            self.sink.shutdown(socket.SHUT_WR)
