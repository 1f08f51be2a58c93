"""A proxy that asks for a password and leads every CONNECT to one port of this machine, as companies have it before TLS."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


@dataclass
class Tunnel:
    """What it leads to, and whom it was asked for."""

    upstream: int
    password: str
    port: int = 0
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    tunnel: ClassVar[Tunnel]

    def do_CONNECT(self) -> None:
        """Let through who knows the password."""
        expected = "Basic " + base64.b64encode(self.tunnel.password.encode()).decode()
        if self.headers.get("Proxy-Authorization") != expected:
            self.send_error(407)
            return
        self.tunnel.asked.append(self.path)
        with socket.create_connection(("127.0.0.1", self.tunnel.upstream)) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
            back.start()
            _copy(self.connection, there)
            back.join(5)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's word
        """Say nothing."""


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def tunnel(upstream: int, password: str) -> Iterator[Tunnel]:
    """A tunnel that runs."""
    made = Tunnel(upstream, password)
    handler = type("Handler", (_Handler,), {"tunnel": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()
