"""Notes in PostgreSQL, page views in Redis: `POST /` stores the body as a note, `GET /` answers with both."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
import redis

DATABASE = os.environ["DATABASE_URL"]
CACHE = redis.from_url(os.environ["REDIS_URL"])


class Notes(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        views = CACHE.incr("views")
        with psycopg2.connect(DATABASE) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT body FROM notes ORDER BY id")
            notes = [body for (body,) in cursor.fetchall()]
        connection.close()
        self.answer(200, {"views": views, "notes": notes})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with psycopg2.connect(DATABASE) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO notes (body) VALUES (%s) RETURNING id", (body,))
            (number,) = cursor.fetchone()
        connection.close()
        self.answer(201, {"id": number})

    def answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    print("listening on port 8000")
    try:
        ThreadingHTTPServer(("", 8000), Notes).serve_forever()
    except KeyboardInterrupt:  # the file says `stop_signal: SIGINT`
        print("bye")
