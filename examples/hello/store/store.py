"""Keeps counters in a file: `POST /NAME` adds one and answers with the new value, `GET /NAME` answers with it."""

import json
import os
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FILE = Path(os.environ.get("DATA", "/data")) / "counters.json"
PORT = 6000
LOCK = threading.Lock()


def read() -> dict[str, int]:
    """The counters on disk; none yet is none."""
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {}


def write(counters: dict[str, int]) -> None:
    """Replaces the file in one step, so that a crash leaves the old one or the new one."""
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(counters))
    new.replace(FILE)


class Store(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        self.answer(read().get(self.path, 0))

    def do_POST(self) -> None:
        with LOCK:
            counters = read()
            counters[self.path] = counters.get(self.path, 0) + 1
            write(counters)
        print(f"{self.path} is now {counters[self.path]}")
        self.answer(counters[self.path])

    def answer(self, value: int) -> None:
        body = f"{value}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The changes are the log."""


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=1)
    else:
        # The first process of a container gets no default signal actions: without this, SIGTERM would be ignored.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(f"keeping counters in {FILE}")
        ThreadingHTTPServer(("", PORT), Store).serve_forever()
