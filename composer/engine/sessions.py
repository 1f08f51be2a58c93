"""A process's streams at one end, a client's frames (`api.stream`) at the other: exec, attach and run.

A session owns the descriptors it is given and closes them. It reads only as fast as the client takes frames, and takes
input from the client only as fast as the process reads it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from composer.api.stream import STDERR, STDOUT, control, encode
from composer.engine.pipes import Client, Input, Outgoing, chunks, resize
from composer.errors import ComposerError


class Output(Protocol):
    """What a container writes, for one reader."""

    def pieces(self) -> AsyncIterator[tuple[str, bytes]]:
        """The bytes with the name of their stream, until it has ended."""

    def close(self) -> None:
        """Read no more, whether anything was read or not; idempotent."""


async def _frames(kind: int, fd: int) -> AsyncIterator[bytes]:
    async with aclosing(chunks(fd)) as source:  # type: ignore[type-var]
        async for data in source:
            yield encode(kind, data)


class ProcessSession:
    """An exec'd process: its pipes or its pty, until it has exited and its output has ended."""

    def __init__(
        self,
        outputs: Mapping[int, int],
        exited: Callable[[], Awaitable[int]],
        *,
        stdin: int = -1,
        terminal: bool = False,
        signal: Callable[[str], None] = lambda _name: None,
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        """`let_go` is called when it is over, whether `exited` was asked or not."""
        self._outputs = dict(outputs)
        self._exited = exited
        self._let_go = let_go
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
        self._task.add_done_callback(lambda _: self._let_go())  # for one, too, that is cancelled before it begins

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
        if self._task is None:
            self._let_go()
        elif not self._task.done():
            self._task.cancel()
        self._close()

    async def _run(self, client: Client) -> None:
        try:
            outgoing = Outgoing(client)
            for kind, fd in self._outputs.items():
                outgoing.copy(_frames(kind, fd))
            self._outputs.clear()
            try:
                status = await self._exited()
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
        output: Output,
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
        self._task.add_done_callback(lambda _: self._output.close())  # of one, too, that is cancelled before it begins

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
        if self._task is None:
            self._output.close()
        elif not self._task.done():
            self._task.cancel()

    async def _run(self, client: Client) -> None:
        outgoing = Outgoing(client)
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
        async with aclosing(self._output.pieces()) as source:  # type: ignore[type-var]
            async for stream, data in source:
                yield encode(STDERR if stream == "stderr" else STDOUT, data)
