"""Greets each visitor with a number that it gets from the API."""

import json
import os
import signal
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

API = os.environ.get("API", "http://localhost:7000")
URL = os.environ.get("URL", "http://localhost:8000/")
PORT = 8000


class Web(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        if self.path != "/":  # a browser's favicon.ico is no visitor
            self.send_error(404)
            return
        request = urllib.request.Request(f"{API}/visits", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=5) as reply:
                answer = json.load(reply)
        except OSError as error:
            self.send_error(502, f"the api does not answer: {error}")
            return
        body = f"Hello, visitor {answer['visits']}! (web asked api on {answer['host']}, which asked store)\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, pattern: str, *values: object) -> None:
        print(pattern % values)


if __name__ == "__main__":
    # The first process of a container gets no default signal actions: without this, SIGTERM would be ignored.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("", PORT), Web)
    print(f"open {URL}")
    server.serve_forever()
