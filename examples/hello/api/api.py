"""Counts visits in the store and answers in JSON: `POST /visits` -> {"visits": 3, "host": "..."}."""

import json
import os
import signal
import socket
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORE = os.environ.get("STORE", "http://localhost:6000")
PORT = 7000


class Api(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        self.answer({"status": "ok"})

    def do_POST(self) -> None:
        request = urllib.request.Request(f"{STORE}/visits", method="POST")
        with urllib.request.urlopen(request, timeout=5) as reply:
            visits = int(reply.read())
        print(f"visit {visits}")
        self.answer({"visits": visits, "host": socket.gethostname()})

    def answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The visits are the log."""


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=1)
    else:
        # The first process of a container gets no default signal actions: without this, SIGTERM would be ignored.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(f"counting visits in {STORE}")
        ThreadingHTTPServer(("", PORT), Api).serve_forever()
