"""Bytes on their way from the event loop to a thread, which reads them like a file."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from composer.errors import ComposerError

_CAPACITY = 4 << 20
"""Bytes that may wait to be read; what bounds the memory of a download."""


class AbortedError(ComposerError):
    """The other end has given up."""

    def __init__(self) -> None:
        super().__init__("cannot read on: the download was given up")


class Conduit:
    """`feed` and `end` belong to the loop, `read` and `close` to the thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._room = asyncio.Event()
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._over = False
        self._aborted = False
        self._closed = False

    async def feed(self, chunk: bytes) -> None:
        """Hand `chunk` on, waiting while the reader is behind. Raises AbortedError when nobody reads any more."""
        with self._changed:
            self._chunks.append(chunk)
            self._waiting += len(chunk)
            full = self._waiting >= _CAPACITY
            if full:
                self._room.clear()
            self._changed.notify()
        if full:
            await self._room.wait()
        if self._closed:
            raise AbortedError

    def end(self) -> None:
        """That was everything."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def abort(self) -> None:
        """There will be no more: the reader fails. After `end` this means nothing."""
        with self._changed:
            self._aborted = not self._over
            self._changed.notify()

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end. Raises AbortedError."""
        with self._changed:
            while not (self._chunks or self._over or self._aborted):
                self._changed.wait()
            if self._aborted:
                raise AbortedError
            if not self._chunks:
                return b""
            chunk = self._chunks.popleft()
            if len(chunk) > size:
                self._chunks.appendleft(chunk[size:])
                chunk = chunk[:size]
            before, self._waiting = self._waiting, self._waiting - len(chunk)
        if before >= _CAPACITY // 2 > self._waiting:
            self._loop.call_soon_threadsafe(self._room.set)
        return chunk

    def close(self) -> None:
        """Nothing more will be read."""
        with self._changed:
            self._closed = True
            self._chunks.clear()
            self._waiting = 0
        self._loop.call_soon_threadsafe(self._room.set)
