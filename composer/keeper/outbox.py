"""Sending messages without ever waiting: what the socket does not take now is kept until it does."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

from composer.keeper import wire


class Outbox:
    """The sending side of a non-blocking SEQPACKET socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting: deque[tuple[dict[str, Any], list[int]]] = deque()

    def __bool__(self) -> bool:
        """Whether something waits: then poll for writing and `flush`."""
        return bool(self._waiting)

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send now, or keep the message and duplicates of `fds`. Raises OSError when the other side is gone."""
        if not self._waiting and self._try(message, fds):
            return
        self._waiting.append((message, [os.dup(fd) for fd in fds]))

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it. Raises OSError when the other side is gone."""
        while self._waiting:
            message, fds = self._waiting[0]
            if not self._try(message, fds):
                return
            self._waiting.popleft()
            _close(fds)

    def close(self) -> None:
        """Forget what waits."""
        while self._waiting:
            _close(self._waiting.popleft()[1])

    def _try(self, message: dict[str, Any], fds: Sequence[int]) -> bool:
        try:
            wire.send(self._sock, message, fds)
        except BlockingIOError:
            return False
        return True


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
