"""Bytes between the descriptors of a process and a client: each goes on as fast as the other takes them."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Protocol

_CHUNK = 65536
_LATE_OUTPUT_SECONDS = 1.0
"""How long a session stays for output to come after the process is gone: a daemon it left behind may hold the stream for ever."""


class Client(Protocol):
    """The connection that a session talks to."""

    async def send(self, frame: bytes) -> None: ...

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Input:
    """Bytes on their way into a process: written as it takes them, the client held back meanwhile."""

    def __init__(
        self, fd: int, client: Client, *, at_end: bytes = b"", on_end: Callable[[], None] = lambda: None
    ) -> None:
        """`at_end` is written at the end of input, and `on_end` called once everything has been written."""
        self._fd = fd
        self._client = client
        self._pending = bytearray()
        self._at_end = at_end
        self._on_end = on_end
        self._ended = False
        os.set_blocking(fd, False)

    def feed(self, data: bytes) -> None:
        """Queue `data`; empty is the end of input."""
        if self._fd < 0 or self._ended:
            return
        self._ended = not data
        self._pending += data or self._at_end
        self._flush()

    def close(self) -> None:
        """Close the descriptor; what is still queued is dropped."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                del self._pending[: os.write(self._fd, self._pending)]
        except BlockingIOError:
            self._client.pause_reading()
            loop.add_writer(self._fd, self._flush)
            return
        except OSError:  # the process closed its input: what it did not want is nobody's
            self._pending.clear()
            self._ended = True
        loop.remove_writer(self._fd)
        self._client.resume_reading()
        if self._ended:
            self.close()
            self._on_end()


async def chunks(fd: int) -> AsyncIterator[bytes]:
    """What can be read from a pipe or pty master until its end; closes `fd`."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    try:
        while True:
            try:
                data = os.read(fd, _CHUNK)
            except BlockingIOError:
                ready = asyncio.Event()
                loop.add_reader(fd, ready.set)
                try:
                    await ready.wait()
                finally:
                    loop.remove_reader(fd)
                continue
            except OSError as error:
                if error.errno == errno.EIO:  # a pty whose last slave is closed
                    return
                raise
            if not data:
                return
            yield data
    finally:
        os.close(fd)


class Outgoing:
    """Output on its way to a client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sending = 0
        self._tasks: list[asyncio.Task[None]] = []

    def copy(self, frames: AsyncIterator[bytes]) -> None:
        """Begin to send `frames`, as fast as the client takes them."""
        self._tasks.append(asyncio.create_task(self._copy(frames)))

    async def finish(self) -> None:
        """Return when the client has all that was written, however slowly it reads; for what may come yet, wait a moment."""
        pending = set(self._tasks)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=_LATE_OUTPUT_SECONDS)
            if not self._sending:  # they wait for output, not for the client
                return

    async def cancel(self) -> None:
        """Send no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _copy(self, frames: AsyncIterator[bytes]) -> None:
        async with aclosing(frames) as source:  # type: ignore[type-var]
            async for frame in source:
                self._sending += 1
                try:
                    await self._client.send(frame)
                finally:
                    self._sending -= 1


def resize(terminal: int, rows: int, columns: int) -> None:
    """Set a pty's window size (`ioctl_tty(2)`); a pty that is gone is fine."""
    with suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
