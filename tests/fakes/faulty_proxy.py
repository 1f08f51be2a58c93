"""A proxy before a registry that misbehaves as it is told.

A `Fault` is applied to the requests that match it, as often as it says; all else passes through untouched. `seen` holds what
was asked, as (method, path, headers).
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """What goes wrong with requests whose `METHOD path` matches."""

    matching: str
    times: int = 1
    status: int = 0
    """Answer with this instead of asking the registry."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Set on the answer; an empty value removes one."""
    body: bytes = b""
    drop_after: int | None = None
    """Send so many bytes of the body, then hang up."""
    change: Callable[[bytes], bytes] | None = None
    """What becomes of the body; its length is announced truthfully."""
    endless: bool = False
    """Go on after the body, and announce no length."""
    pause: float = 0.0
    """Seconds before each 16 KiB."""
    ignore_range: bool = False


class FaultyProxy:
    """What the proxy is to do, and what it has seen."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.port = 0
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """As references name it."""
        return f"127.0.0.1:{self.port}"

    def asked(self, matching: str) -> int:
        """How many requests matched."""
        return sum(bool(re.search(matching, f"{method} {path}")) for method, path, _ in self.seen)

    def take(self, method: str, path: str, headers: dict[str, str]) -> Fault:
        """What happens to this request."""
        with self._lock:
            self.seen.append((method, path, headers))
            for fault in self.faults:
                if fault.times and re.search(fault.matching, f"{method} {path}"):
                    fault.times -= 1
                    return fault
        return Fault("")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def handle(self) -> None:
        with suppress(ConnectionResetError):  # whoever gives up a body hangs up
            super().handle()

    def _serve(self) -> None:
        # The registry thinks that it is at this address: the locations that it gives lead through here.
        headers = dict(self.headers)
        fault = self.proxy.take(self.command, self.path, headers)
        body = self._request_body()
        if fault.status:
            return self._answer(fault.status, {}, fault.body, fault)
        if fault.ignore_range:
            headers.pop("Range", None)
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in ("transfer-encoding",)}
            upstream.request(self.command, self.path, body=body or None, headers=kept)
            answer = upstream.getresponse()
            data = answer.read()
            self._answer(answer.status, dict(answer.getheaders()), data, fault)
        finally:
            upstream.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  # the library's names

    def _request_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: dict[str, str], body: bytes, fault: Fault) -> None:
        if fault.change:
            body = fault.change(body)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        fixed = {"Content-Length": "" if fault.endless else length, "Transfer-Encoding": "", **fault.headers}
        self.send_response(status)
        for name, value in ({name: value for name, value in headers.items() if name not in fixed} | fixed).items():
            if value:
                self.send_header(name, value)
        if fault.endless or fault.drop_after is not None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self._send(body[: fault.drop_after] if fault.drop_after is not None else body, fault.pause)
            while fault.endless:
                self._send(b"\0" * 65536, fault.pause)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _send(self, data: bytes, pause: float) -> None:
        step = 16384 if pause else max(len(data), 1)
        for start in range(0, len(data), step):
            time.sleep(pause)
            self.wfile.write(data[start : start + step])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def faulty_proxy(port: int) -> Iterator[FaultyProxy]:
    """A proxy on a loopback port before the registry at `port`."""
    proxy = FaultyProxy(port)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
