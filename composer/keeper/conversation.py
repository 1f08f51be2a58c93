"""The engine's connection to the keeper, for asyncio: questions with their answers, and what the keeper says unasked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from composer.errors import EngineError, KeeperLostError
from composer.keeper import wire
from composer.keeper.outbox import Outbox

Take = Callable[[dict[str, Any], list[int]], list[int]]
"""Looks at an answer as it comes in, before anything else is heard, and gives the descriptors that are left for who asked."""
_ANSWERS = ("started", "done", "failed")


class Conversation:
    """Over a connected SEQPACKET socket; `hear` is given everything that answers nobody, `on_end` is called once."""

    def __init__(
        self, sock: socket.socket, hear: Callable[[dict[str, Any], list[int]], None], on_end: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._outbox = Outbox(sock)
        self._hear = hear
        self._on_end = on_end
        self._tickets = 0
        self._asked: dict[int, tuple[asyncio.Future[tuple[dict[str, Any], list[int]]], Take | None]] = {}
        self.is_over = False
        self._loop.add_reader(sock.fileno(), self._readable)

    async def ask(
        self, message: dict[str, Any], fds: Sequence[int] = (), take: Take | None = None
    ) -> tuple[dict[str, Any], list[int]]:
        """The answer and its descriptors, which are then the caller's. Raises KeeperLostError if none will come."""
        self.raise_if_over()
        self._tickets += 1
        future: asyncio.Future[tuple[dict[str, Any], list[int]]] = self._loop.create_future()
        self._asked[self._tickets] = (future, take)
        self.say({**message, "ticket": self._tickets}, fds)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                for fd in future.result()[1]:  # the answer came in the moment in which nobody wanted it any more
                    os.close(fd)
            raise

    def say(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send what needs no answer; never waits. Raises KeeperLostError."""
        try:
            self._outbox.send(message, fds)
        except OSError as error:
            self.end()
            raise KeeperLostError("the keeper is gone") from error
        if self._outbox:
            self._loop.add_writer(self._sock.fileno(), self._flush)

    def raise_if_over(self) -> None:
        """Raise KeeperLostError once the connection has ended."""
        if self.is_over:
            raise KeeperLostError("the keeper is gone")

    def end(self) -> None:
        """End it: every question under way fails. A second time is fine."""
        if self.is_over:
            return
        self.is_over = True
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._outbox.close()
        self._sock.close()
        asked = list(self._asked.values())
        self._asked.clear()
        for future, _take in asked:
            lose(future)
        self._on_end()

    def _flush(self) -> None:
        try:
            self._outbox.flush()
        except OSError:
            self.end()
            return
        if not self._outbox:
            self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        while not self.is_over:
            try:
                received = wire.receive(self._sock)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                received = None
            if received is None:
                self.end()
                return
            message, fds = received
            if message.get("is") in _ANSWERS and "ticket" in message:
                self._answer(message, fds)
            else:
                self._hear(message, fds)

    def _answer(self, message: dict[str, Any], fds: list[int]) -> None:
        future, take = self._asked.pop(message["ticket"], (None, None))
        if take is not None:
            fds = take(message, fds)
        if future is None or future.done():
            for fd in fds:
                os.close(fd)
        else:
            future.set_result((message, fds))


def lose(future: asyncio.Future[Any]) -> None:
    """Tell who waits for it that the keeper is gone; nobody needs to."""
    if not future.done():
        future.set_exception(KeeperLostError("the keeper is gone"))
        with contextlib.suppress(EngineError):
            future.exception()
