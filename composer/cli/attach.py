"""The client's end of `exec` and `run`: this terminal's streams and signals, as frames of `api.stream`.

Nothing here blocks but `select`: input waits while the engine is behind, and output is taken meanwhile, or a process
that echoes what it reads would stop both sides. With a tty the keys go through as they are; ctrl-p ctrl-q leaves the
process running. Without one, SIGINT and SIGTERM are passed on, and the second of them ends this side.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from composer.api import stream
from composer.cli import terminal
from composer.cli.terminal import RawTerminal, Signals, window_size
from composer.errors import EngineError, error_from_wire

_CHUNK = 1 << 16
DETACH_KEYS = b"\x10\x11"
DETACHED = 0


@dataclass(frozen=True, slots=True)
class Streams:
    """Which descriptors take part; `stdin` is -1 where the process gets none."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    tty: bool = False


def converse(connect: Callable[[], socket.socket], streams: Streams) -> int:
    """Carry bytes and signals both ways until the process has ended; its exit code, `DETACHED` after the detach keys.

    `connect` asks for the process, when signals are ours to pass on: one that comes at once must not miss it.
    Closes the connection, restores the terminal. Raises the engine's error, or KeyboardInterrupt for a second SIGINT.
    """
    with ExitStack() as stack:
        signals = stack.enter_context(
            Signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGWINCH)
        )
        connection = stack.enter_context(connect())
        if streams.stdin >= 0 and os.isatty(streams.stdin):
            terminal.tell_reader()
        if streams.tty and streams.stdin >= 0 and os.isatty(streams.stdin):
            stack.enter_context(RawTerminal(streams.stdin))
        connection.setblocking(False)
        return _Conversation(connection, streams, signals).run()


class _Conversation:
    def __init__(self, connection: socket.socket, streams: Streams, signals: Signals) -> None:
        self._connection = connection
        self._streams = streams
        self._signals = signals
        self._decoder = stream.Decoder()
        self._outgoing = bytearray()
        self._stdin_open = streams.stdin >= 0
        self._keys = DetachKeys() if streams.tty else None
        self._signalled = False
        self._status: int | None = None

    def run(self) -> int:
        if self._streams.tty:
            self._send(stream.control(resize=list(window_size())))
        while self._status is None:
            reading = [self._connection.fileno(), self._signals.fileno()]
            if self._stdin_open and not self._outgoing:
                reading.append(self._streams.stdin)
            writing = [self._connection.fileno()] if self._outgoing else []
            readable, writable, _ = select.select(reading, writing, [])
            for source, action in (
                (self._signals.fileno(), self._take_signals),
                (self._streams.stdin, self._read_input),
                (self._connection.fileno(), self._receive),
            ):
                if source in readable and self._status is None:
                    action()
            if writable:
                self._flush()
        return self._status

    def _take_signals(self) -> None:
        for number in self._signals.take():
            if number == signal.SIGWINCH:
                if self._streams.tty:
                    self._send(stream.control(resize=list(window_size())))
                continue
            if self._signalled:
                if number == signal.SIGINT:
                    raise KeyboardInterrupt
                self._status = 128 + number
                return
            self._signalled = True
            self._send(stream.control(signal=number.name))

    def _read_input(self) -> None:
        try:
            data = os.read(self._streams.stdin, _CHUNK)
        except OSError:  # EIO: we are in the background of a terminal that is gone
            data = b""
        if data and self._keys is not None:
            data, detach = self._keys.feed(data)
            if detach:
                self._status = DETACHED
            if not data:
                return
        self._stdin_open = bool(data)
        self._send(stream.encode(stream.STDIN, data))

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_CHUNK)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            raise EngineError("the engine went away; the process may still be running", hint="see `compose ps`")
        for kind, payload in self._decoder.feed(data):
            if kind == stream.CONTROL:
                self._take_control(json.loads(payload))
            else:
                _write_all(self._streams.stderr if kind == stream.STDERR else self._streams.stdout, payload)

    def _take_control(self, message: dict[str, object]) -> None:
        if error := message.get("error"):
            raise error_from_wire(error) if isinstance(error, dict) else EngineError(str(error))
        if "exit" in message:
            self._status = int(str(message["exit"]))

    def _send(self, frame: bytes) -> None:
        self._outgoing += frame
        self._flush()

    def _flush(self) -> None:
        try:
            while self._outgoing:
                del self._outgoing[: self._connection.send(self._outgoing)]
        except BlockingIOError:
            pass
        except ConnectionError:  # what the engine said last is still to be read
            self._outgoing.clear()
            self._stdin_open = False


class DetachKeys:
    """Watches keys for ctrl-p ctrl-q; a ctrl-p is held back until it is clear that no ctrl-q follows."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, keys: bytes) -> tuple[bytes, bool]:
        """The keys to pass on, and whether the sequence was pressed."""
        keys = self._held + keys
        before, pressed, _ = keys.partition(DETACH_KEYS)
        if pressed:
            return before, True
        self._held = DETACH_KEYS[:1] if keys.endswith(DETACH_KEYS[:1]) else b""
        return keys.removesuffix(self._held), False


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def start_only(connection: socket.socket) -> None:
    """Wait until the container that this connection starts is running, and leave it. Raises the engine's error."""
    decoder = stream.Decoder()
    with connection:
        while data := connection.recv(_CHUNK):
            for kind, payload in decoder.feed(data):
                message = json.loads(payload) if kind == stream.CONTROL else {}
                if "error" in message:
                    raise error_from_wire(message["error"])
                if "started" in message or "exit" in message:
                    return
    raise EngineError("the engine went away while the container started", hint="see `compose ps -a`")
