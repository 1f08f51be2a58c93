"""A process's streams at one end, a client's frames (`api.stream`) at the other: exec, attach and run.

A session owns the descriptors it is given and closes them. It reads only as fast as the client takes frames, and takes
input from the client only as fast as the process reads it.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol

from composer.api.stream import STDERR, STDOUT, control, encode
from composer.errors import ComposerError

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


async def _frames(kind: int, fd: int) -> AsyncIterator[bytes]:
    async with aclosing(chunks(fd)) as source:  # type: ignore[type-var]
        async for data in source:
            yield encode(kind, data)


class _Outgoing:
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


class ProcessSession:
    """An exec'd process: its pipes or its pty, until it has exited and its output has ended."""

    def __init__(
        self,
        outputs: Mapping[int, int],
        exited: Awaitable[int],
        *,
        stdin: int = -1,
        terminal: bool = False,
        signal: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._outputs = dict(outputs)
        self._exited = exited
        self._stdin = stdin
        self._terminal = os.dup(self._outputs[STDOUT]) if terminal else -1
        self._signal = signal
        self._input: Input | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, client: Client) -> None:
        """Begin to send; called once."""
        if self._stdin >= 0:
            # On a terminal the end of input is what the user would have typed: ctrl-d.
            self._input = Input(self._stdin, client, at_end=b"\x04" if self._terminal >= 0 else b"")
        self._task = asyncio.create_task(self._run(client))

    def stdin(self, data: bytes) -> None:
        if self._input is not None:
            self._input.feed(data)

    def control(self, message: dict[str, Any]) -> None:
        if "resize" in message and self._terminal >= 0:
            resize(self._terminal, *message["resize"])
        if "signal" in message:
            self._signal(str(message["signal"]))

    def closed(self) -> None:
        """The client left: the process goes on without its streams (as `docker exec` does)."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
        self._close()

    async def _run(self, client: Client) -> None:
        try:
            outgoing = _Outgoing(client)
            for kind, fd in self._outputs.items():
                outgoing.copy(_frames(kind, fd))
            self._outputs.clear()
            try:
                status = await self._exited
                await outgoing.finish()
                await client.send(control(exit=status))
            finally:
                await outgoing.cancel()
        except ComposerError as error:
            await client.send(control(error=error.to_wire()))
        finally:
            self._close()
            client.close()

    def _close(self) -> None:
        if self._input is not None:
            self._input.close()
            self._input = None
        elif self._stdin >= 0:
            os.close(self._stdin)
        self._stdin = -1
        for fd in self._outputs.values():
            os.close(fd)
        self._outputs.clear()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1


class DetachedSession:
    """A process that goes on by itself: the conversation ends as soon as it runs."""

    def start(self, client: Client) -> None:
        """Say that it runs, and close."""
        self._task = asyncio.create_task(self._run(client))

    def stdin(self, data: bytes) -> None:
        """Nobody reads it."""

    def control(self, message: dict[str, Any]) -> None:
        """Nobody listens."""

    def closed(self) -> None:
        """Nothing is held."""

    async def _run(self, client: Client) -> None:
        await client.send(control(exit=0))
        client.close()


class AttachSession:
    """A container's output as its log gets it, and its input; ends with the container."""

    def __init__(
        self,
        output: AsyncIterator[tuple[str, bytes]],
        exited: Callable[[], Awaitable[int]],
        *,
        start: Callable[[], Awaitable[None]] | None,
        stdin: Callable[[], int],
        terminal: Callable[[], int],
        signal: Callable[[str], None],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_end` is called at the end of the client's input.

        `stdin` and `terminal` give a descriptor of our own once the container runs, or -1."""
        self._output = output
        self._exited = exited
        self._begin = start
        self._open_stdin = stdin
        self._open_terminal = terminal
        self._signal = signal
        self._on_end = on_end
        self._input: Input | None = None
        self._early = bytearray()
        self._early_end = False
        self._size: tuple[int, int] | None = None
        self._terminal = -1
        self._task: asyncio.Task[None] | None = None

    def start(self, client: Client) -> None:
        """Start the container if that was asked, and begin to send."""
        self._task = asyncio.create_task(self._run(client))

    def stdin(self, data: bytes) -> None:
        if self._input is not None:
            self._input.feed(data)
        else:
            self._early += data
            self._early_end = self._early_end or not data

    def control(self, message: dict[str, Any]) -> None:
        if "resize" in message:
            self._size = (int(message["resize"][0]), int(message["resize"][1]))
            if self._terminal >= 0:
                resize(self._terminal, *self._size)
        if "signal" in message:
            self._signal(str(message["signal"]))

    def closed(self) -> None:
        """The client left; the container goes on."""
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def _run(self, client: Client) -> None:
        outgoing = _Outgoing(client)
        try:
            if self._begin is not None:
                await self._begin()
                await client.send(control(started=True))
            self._connect(client)
            outgoing.copy(self._frames())
            status = await self._exited()
            await outgoing.finish()
            await client.send(control(exit=status))
        except ComposerError as error:
            await client.send(control(error=error.to_wire()))
        finally:
            await outgoing.cancel()
            if self._input is not None:
                self._input.close()
            if self._terminal >= 0:
                os.close(self._terminal)
                self._terminal = -1
            client.close()

    def _connect(self, client: Client) -> None:
        self._terminal = self._open_terminal()
        if self._terminal >= 0 and self._size:
            resize(self._terminal, *self._size)
        if (fd := self._open_stdin()) >= 0:
            at_end = b"\x04" if self._terminal >= 0 else b""
            self._input = Input(fd, client, at_end=at_end, on_end=self._on_end)
            if self._early:
                self._input.feed(bytes(self._early))
            if self._early_end:
                self._input.feed(b"")

    async def _frames(self) -> AsyncIterator[bytes]:
        async with aclosing(self._output) as source:  # type: ignore[type-var]
            async for stream, data in source:
                yield encode(STDERR if stream == "stderr" else STDOUT, data)


def resize(terminal: int, rows: int, columns: int) -> None:
    """Set a pty's window size (`ioctl_tty(2)`); a pty that is gone is fine."""
    with suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
