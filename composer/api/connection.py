"""HTTP/1.1 on the engine's unix socket, as much of RFC 9112 as our own server speaks.

`http.client` would do, but importing it (with ssl and email) costs 35 ms, more than a whole `compose ps` may take. One
connection carries one request: connecting to a unix socket is a matter of microseconds, and nothing has to be reset.

The reading half knows no sockets: bytes go into `Reader`, a head and body bytes come out.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from composer.api.messages import EDITION_HEADER
from composer.edition import Edition

_CHUNK = 1 << 16
_LONGEST_HEAD = 1 << 16


class EngineLost(Exception):  # noqa: N818  not a failure yet: the client may send the request again
    """The connection ended before the answer did."""


class Reader:
    """An answer taking shape: `status` and `headers` once the head is there (`begun`), then body bytes by `feed`."""

    def __init__(self) -> None:
        self.status = 0
        self.begun = False
        self.headers: dict[str, str] = {}
        self.complete = False
        self._buffer = bytearray()
        self._chunked = self._in_trailer = False
        self._left = -1
        """Bytes that the body (or the current chunk) still has; -1 is unknown."""

    def feed(self, data: bytes) -> bytes:
        """Body bytes that became readable. Raises ValueError for what is not HTTP."""
        self._buffer += data
        if not self.begun and not self._read_head():
            return b""
        if self.status == 101:
            return b""
        return self._read_chunks() if self._chunked else self._read_plain()

    @property
    def length(self) -> int:
        """How many bytes of the body (or of a piece of it) are still to come, as far as that is known."""
        return self._left

    def end(self) -> None:
        """The peer has closed. Raises EngineLost where something is missing."""
        if self.begun and not self._chunked and self._left < 0:
            self.complete = True
        if not self.complete and self.status != 101:
            raise EngineLost

    def head_part(self, data: bytes) -> int:
        """How many bytes of `data` still belong to the head."""
        end = (self._buffer + data).find(b"\r\n\r\n")
        return len(data) if end < 0 else end + 4 - len(self._buffer)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                raise ValueError("an endless head")
            return False
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        unknown = self._read_first(first)
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        if self._chunked or self.status == 204:
            self._left = 0
        else:
            self._left = int(self.headers.get("content-length", unknown))
        self.begun = True
        return True

    def _read_first(self, line: str) -> int:
        """Take the first line in; how long a body is whose length is not told, -1 for until the end."""
        version, _, rest = line.partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(f"not HTTP: {line[:40]!r}")
        self.status = int(rest[:3])
        return -1

    def _read_plain(self) -> bytes:
        body, self._buffer = bytes(self._buffer), bytearray()
        if self._left >= 0:
            body, self._left = body[: self._left], max(self._left - len(body), 0)
            self.complete = self._left == 0
        return body

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while not self.complete:
            if self._left > 2:  # the chunk and its line end
                taken = min(self._left - 2, len(self._buffer))
                body += self._buffer[:taken]
                del self._buffer[:taken]
                self._left -= taken
            if self._left > 2:
                break
            if self._left:
                if len(self._buffer) < self._left:
                    break
                del self._buffer[: self._left]
                self._left = 0
            end = self._buffer.find(b"\r\n")
            if end < 0:
                break
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            if self._in_trailer:
                self.complete = not line
                continue
            size = int(line.partition(b";")[0], 16)
            if size < 0:
                raise ValueError("a chunk of less than nothing")
            self._in_trailer = size == 0
            self._left = size + 2 if size else 0
        return bytes(body)


class Response:
    """An answer on its way: its body whole (`read`), by lines as they come (`lines`), or piecewise (`poll`)."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._reader = Reader()
        self._body = bytearray()

    def begin(self) -> Response:
        """Wait for the head and take not a byte more, so that a selector still sees the rest. Raises EngineLost."""
        while not self._reader.status:
            try:
                ahead = self._reader.head_part(self.socket.recv(_CHUNK, socket.MSG_PEEK))
            except ConnectionError as error:
                raise EngineLost from error
            self._receive(ahead)
        return self

    @property
    def status(self) -> int:
        return self._reader.status

    @property
    def complete(self) -> bool:
        return self._reader.complete

    def fileno(self) -> int:
        """For selectors: readable when `poll` has something to do."""
        return self.socket.fileno()

    def read(self) -> bytes:
        """The whole body; the connection is closed."""
        with self.socket:
            while not self._reader.complete:
                self._receive()
        return bytes(self._body)

    def poll(self) -> list[bytes]:
        """Read once, waiting for something to read; the lines that are whole now. Raises EngineLost when it breaks off."""
        if not self._reader.complete:
            self._receive()
        *lines, rest = bytes(self._body).split(b"\n")
        self._body = bytearray(rest)
        if self._reader.complete and rest:
            lines.append(rest)
            self._body.clear()
        return [line for line in lines if line]

    def lines(self) -> Iterator[bytes]:
        """Each line as it comes; the connection is closed at the end."""
        with self.socket:
            while not self._reader.complete:
                yield from self.poll()

    def close(self) -> None:
        """Hang up; idempotent."""
        self.socket.close()

    def _receive(self, size: int = _CHUNK) -> None:
        try:
            data = self.socket.recv(size or 1)
            if data:
                self._body += self._reader.feed(data)
            else:
                self._reader.end()
        except (ConnectionError, ValueError) as error:
            raise EngineLost from error


def send(
    path: Path,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    upgrade: bool = False,
    timeout: float | None = None,
    edition: Edition | None = None,
) -> Response:
    """Send one request and wait for the head of its answer. Without an `edition` any engine answers that can.

    Raises FileNotFoundError or ConnectionRefusedError when nobody listens, EngineLost when the engine goes away, and with a
    `timeout` TimeoutError, here and later, when it takes longer than that to say something.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
        head = f"{method} {target} HTTP/1.1\r\nHost: engine\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n" if body else ""
        head += f"{EDITION_HEADER}: {edition}\r\n" if edition else ""
        head += "Connection: Upgrade\r\nUpgrade: composer\r\n\r\n" if upgrade else "Connection: close\r\n\r\n"
        try:
            connection.sendall(head.encode("ascii") + body)
        except ConnectionError as error:
            raise EngineLost from error
        return Response(connection).begin()
    except BaseException:
        connection.close()
        raise
