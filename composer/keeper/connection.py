"""The keeper's listening socket and the one engine that is connected to it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from composer.keeper import wire
from composer.keeper.loop import Loop
from composer.keeper.notes import note
from composer.keeper.outbox import Outbox


class Connection:
    """One connected engine. `on_message` gets each message with its descriptors, which are then its own."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        on_message: Callable[[Connection, dict[str, Any], list[int]], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._outbox = Outbox(sock)
        self._on_message = on_message
        self._on_lost = on_lost
        self._open = True
        self.peer = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
        """The engine's pid: the first word of `struct ucred` (`unix(7)`)."""
        sock.setblocking(False)
        loop.watch(sock.fileno(), self._readable)

    @property
    def is_settled(self) -> bool:
        """Whether everything that was to be sent has been."""
        return not self._outbox

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._sock.fileno()

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send or queue; a lost engine is told of by `on_lost`, not here."""
        if not self._open:
            return
        try:
            self._outbox.send(message, fds)
        except OSError as error:
            note(f"engine: {error.strerror}")
            self._loop.later(0, self.close)
            return
        self._want_write()

    def close(self) -> None:
        """End the connection; twice is fine."""
        if not self._open:
            return
        self._open = False
        self._loop.unwatch(self._sock.fileno())
        self._outbox.close()
        self._sock.close()
        self._on_lost(self)

    def _readable(self) -> None:
        try:
            received = wire.receive(self._sock)
        except BlockingIOError:
            return
        except ValueError as error:
            note(f"engine: {error}")
            return
        except OSError:
            received = None
        if received is None:
            self.close()
        else:
            self._on_message(self, *received)

    def _flush(self) -> None:
        try:
            self._outbox.flush()
        except OSError:
            self.close()
            return
        self._want_write()

    def _want_write(self) -> None:
        self._loop.want_write(self._sock.fileno(), self._flush if self._outbox else None)


def listen(path: Path) -> socket.socket:
    """A listening SEQPACKET socket at `path`, mode 0600: whoever may connect is our user. A stale one is replaced."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.setblocking(False)
    mask = os.umask(0o177)
    try:
        with wire.short_name(path) as name:
            sock.bind(name)
    finally:
        os.umask(mask)
    sock.listen(8)
    return sock
