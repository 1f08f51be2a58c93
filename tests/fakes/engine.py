"""A small engine that speaks the API over a real unix socket: containers are records in memory.

It obeys the rules a client may rely on (events end with a Result, `down` of nothing is fine, a stopped container runs no
more) and can be told to behave badly: `die_after` hangs up in the middle of that many streams. `python -m
tests.fakes.engine SOCKET` serves until it is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from composer.api import messages, stream
from composer.api.codec import decode, encode
from composer.edition import ANY
from composer.errors import ComposerError, ImageError, UsageError

SPOKEN = "hello from"


class FakeEngine:
    """What the engine knows, and what it was asked."""

    def __init__(self) -> None:
        self.containers: dict[str, messages.ContainerSummary] = {}
        self.images: dict[str, messages.ImageSummary] = {}
        self.logs: list[messages.LogEntry] = []
        self.requests: list[tuple[str, Any]] = []
        self.die_after = 0
        """How many streams of events break off before their result."""
        self.exits: dict[str, int] = {}
        """Services whose containers end with this code as soon as they have started."""
        self.findings: list[messages.LintFinding] = []
        """What `check` finds in the Dockerfiles."""
        self.stubborn = False
        """Whether `stop` takes for ever, until there is a `kill`."""
        self.is_of_other_code = False
        """Whether it asks every client of an edition to replace it, and its successors do."""
        self.changed = threading.Condition()
        self._listeners: list[list[messages.ContainerEvent]] = []

    def up(self, project: str, request: messages.UpRequest) -> Iterator[messages.Event | messages.Result]:
        if request.options.dry_run:
            yield messages.Result(plan=f"create/{project}-web-1  (new)")
            return
        yield messages.Event("network", f"{project}_default", "creating")
        yield messages.Event("network", f"{project}_default", "created", seconds=0.01)
        wanted = request.options.services or tuple(request.project["services"])
        changed = 0
        for service in wanted:
            for number in range(1, request.options.scale.get(service, 1) + 1):
                name = f"{project}-{service}-{number}"
                if name in self.containers and self.containers[name].state == "running":
                    yield messages.Event("container", name, "running", service=service)
                    continue
                changed += 1
                yield messages.Event("container", name, "creating", service=service)
                yield messages.Event("container", name, "created", service=service, seconds=0.01)
                yield messages.Event("container", name, "starting", service=service)
                self.start(project, service, number, request.project["services"][service].get("image") or "")
                yield messages.Event("container", name, "started", service=service, seconds=0.02)
        yield messages.Result(changed=changed)

    def build(self, project: str, request: messages.BuildRequest) -> Iterator[messages.Event | messages.Result]:
        """Two steps an image, the first of them cached."""
        wanted = request.services or tuple(name for name, each in request.project["services"].items() if each["build"])
        if request.dry_run:
            yield messages.Result(plan="\n".join(f"build/{name}  (asked for)" for name in wanted))
            return
        for name in wanted:
            image = f"{project}-{name}"
            base = messages.Event("step", f"[{name} 1/2] FROM base", "cached", service=name, parent=image, id="0")
            make = replace(base, name=f"[{name} 2/2] RUN make", id="1")
            yield messages.Event("image", image, "building", service=name)
            yield base
            yield replace(make, status="running")
            yield replace(make, status="output", detail="made\n")
            yield replace(make, status="done", cause="src/app.c changed", seconds=0.2)
            yield messages.Event("image", image, "built", seconds=0.3, service=name)
        yield messages.Result(changed=len(wanted))

    def start(self, project: str, service: str, number: int, image: str) -> None:
        name, now = f"{project}-{service}-{number}", time.time()
        with self.changed:
            self.containers[name] = messages.ContainerSummary(
                id=hashlib.sha256(name.encode()).hexdigest(), name=name, project=project, service=service,
                number=number, image=image,
                command=("sh", "-c", "sleep 1000"), state="running", health="", exit_code=0, pid=4242, created=now,
                started=now, finished=0.0, publishers=(messages.Publisher("0.0.0.0", 80, 8080, "tcp"),),
                networks=(f"{project}_default",), labels={"com.docker.compose.service": service},
            )  # fmt: skip
        self._publish(name, "start")
        self.say(name, f"{SPOKEN} {service}")
        if service in self.exits:
            self.end(name, self.exits[service])

    def say(self, name: str, text: str, kind: str = "stdout") -> None:
        container = self.containers[name]
        with self.changed:
            self.logs.append(messages.LogEntry(name, container.service, container.number, kind, time.time(), text))
            self.changed.notify_all()

    def end(self, name: str, code: int) -> None:
        with self.changed:
            container = self.containers[name]
            self.containers[name] = replace(
                container, state="exited", exit_code=code, pid=0, finished=time.time(), publishers=()
            )
        self._publish(name, "die", code)

    def act(
        self, verb: str, project: str, request: messages.ServicesRequest
    ) -> Iterator[messages.Event | messages.Result]:
        going, done = {
            "stop": ("stopping", "stopped"), "kill": ("killing", "stopped"), "start": ("starting", "started"),
            "restart": ("restarting", "started"), "rm": ("removing", "removed"),
        }[verb]  # fmt: skip
        changed = 0
        for name, container in list(self.containers.items()):
            if container.project != project or (request.services and container.service not in request.services):
                continue
            changed += 1
            yield messages.Event("container", name, going, service=container.service)
            with self.changed:
                while verb == "stop" and self.stubborn and self.containers[name].state == "running":
                    self.changed.wait(0.05)
            if verb in ("stop", "kill") and self.containers[name].state == "running":
                self.end(name, 137 if verb == "kill" else 143)
            elif verb == "rm":
                del self.containers[name]
            elif verb in ("start", "restart"):
                self.start(project, container.service, container.number, container.image)
            yield messages.Event("container", name, done, service=container.service, seconds=0.1)
        yield messages.Result(changed=changed)

    def down(self, project: str, request: messages.DownRequest) -> Iterator[messages.Event | messages.Result]:
        names = [name for name, container in self.containers.items() if container.project == project]
        for name in names:
            yield messages.Event("container", name, "stopping")
            if self.containers[name].state == "running":
                self.end(name, 143)
            yield messages.Event("container", name, "removed", seconds=0.2)
            del self.containers[name]
        if names:
            yield messages.Event("network", f"{project}_default", "removed", seconds=0.01)
        yield messages.Result(changed=len(names))

    def follow(self, project: str, services: list[str], since: float, on: bool) -> Iterator[messages.LogEntry]:
        at = 0
        while True:
            with self.changed:
                if at == len(self.logs):
                    mine = [c for c in self.containers.values() if c.project == project]
                    if not on or not any(container.state == "running" for container in mine):
                        return
                    self.changed.wait(0.05)
                entries, at = self.logs[at:], len(self.logs)
            for entry in entries:
                if entry.time >= since and (not services or entry.service in services):
                    yield entry

    def events(self, project: str) -> Iterator[messages.ContainerEvent]:
        queue: list[messages.ContainerEvent] = []
        self._listeners.append(queue)  # at once, not at the first `next`: the head of the answer is a promise
        return self._heard(project, queue)

    def _heard(self, project: str, queue: list[messages.ContainerEvent]) -> Iterator[messages.ContainerEvent]:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: queue, 0.2)
                events, queue[:] = list(queue), []
            for event in events:
                if event.name.startswith(f"{project}-"):
                    yield event

    def _publish(self, name: str, action: str, code: int = 0) -> None:
        container = self.containers[name]
        event = messages.ContainerEvent(container.id, name, container.service, action, time.time(), code)
        with self.changed:
            for queue in self._listeners:
                queue.append(event)
            self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    """The routes; `engine` is the server's."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: Any) -> None:
        """Tests want no access log."""

    def address_string(self) -> str:
        return "unix"

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"))

    def _answer(self, body: Any) -> None:  # noqa: C901  a table of routes
        engine, url = self.server.engine, urlsplit(self.path)
        query = parse_qs(url.query)
        parts = [unquote(part) for part in url.path.split("/")[1:]]
        engine.requests.append((self.path, body))
        self.close_connection = True
        if engine.is_of_other_code:
            if parts == ["engine", "replace"]:
                return  # it lets go
            if f" {ANY} " not in self.headers[messages.EDITION_HEADER]:
                self._json({"may_replace": True}, messages.OTHER_EDITION)
                return
        try:
            match parts:
                case ["projects", name, "exec"]:
                    self._exec(name, decode(messages.ExecRequest, body))
                case ["containers", name, "attach"]:
                    self._attach(name)
                case ["projects", name, "logs"]:
                    since = float(query.get("since", ["0"])[0])
                    self._stream(engine.follow(name, query.get("service", []), since, query.get("follow") == ["1"]))
                case ["projects", name, "events"]:
                    self._stream(engine.events(name))
                case ["projects", name, "up"]:
                    self._stream(engine.up(name, decode(messages.UpRequest, body)), mortal=True)
                case ["projects", name, "build"]:
                    self._stream(engine.build(name, decode(messages.BuildRequest, body)), mortal=True)
                case ["projects", name, "down"]:
                    self._stream(engine.down(name, decode(messages.DownRequest, body)), mortal=True)
                case ["projects", name, "run"]:
                    self._run(name, decode(messages.RunRequest, body))
                case ["projects", name, ("stop" | "start" | "restart" | "kill" | "rm") as verb]:
                    self._stream(engine.act(verb, name, decode(messages.ServicesRequest, body)), mortal=True)
                case ["engine", "stop"]:
                    self._stream([messages.Result()])
                case _:
                    self._json(self._get(parts, body, query.get("all") == ["1"]))
        except ComposerError as error:
            self._json({"error": error.to_wire()}, 409)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _get(self, parts: list[str], body: Any, every: bool) -> Any:  # noqa: C901  a table of routes
        engine = self.server.engine
        match parts:
            case ["version"]:
                return {"version": "fake", "api": messages.API_VERSION, "pid": os.getpid()}
            case ["engine"]:
                return encode(
                    messages.EngineStatus(
                        "fake", "sock", "data", 61.0, os.getpid(), 2, 0, 4, 1, 2, 1, False, ("no limits",)
                    )
                )
            case ["projects"]:
                running: dict[str, int] = {}
                for container in engine.containers.values():
                    running[container.project] = running.get(container.project, 0) + (container.state == "running")
                return [
                    encode(messages.ProjectSummary(name, f"running({n})" if n else "exited(1)", ("/x/compose.yaml",)))
                    for name, n in running.items()
                ]
            case ["projects", name, "containers"]:
                mine = [c for c in engine.containers.values() if c.project == name]
                return [encode(c) for c in mine if every or c.state == "running"]
            case ["projects", _, "check"]:
                return {"findings": [encode(finding) for finding in engine.findings]}
            case ["containers", identity, "wait"]:
                found = next(c for c in engine.containers.values() if identity in (c.id, c.name))
                with engine.changed:
                    engine.changed.wait_for(lambda: engine.containers[found.name].state != "running", 10)
                return {"exit_code": engine.containers[found.name].exit_code}
            case ["containers", _, "remove"]:
                return encode(messages.Result())
            case ["images"]:
                return [encode(image) for image in engine.images.values()]
            case ["images", "import"]:
                image = messages.ImageSummary(body["reference"], "sha256:" + "ab" * 32, 12_345_678, time.time())
                engine.images[body["reference"]] = image
                return {"reference": image.reference, "id": image.id}
            case ["images", "load"]:
                return {"references": ["docker.io/library/loaded:1"]}
            case ["images", "remove"]:
                for reference in body["references"]:
                    if engine.images.pop(reference, None) is None:
                        raise ImageError(f"no such image: `{reference}`", hint="`compose image ls` lists them")
                return {"removed": body["references"]}
            case _:
                raise UsageError(f"no such path: {self.path}")

    def _json(self, data: Any, status: int = 200) -> None:
        payload = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _stream(self, items: Iterable[Any], *, mortal: bool = False) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for item in items:
            if mortal and self.server.engine.die_after and isinstance(item, messages.Result):
                self.server.engine.die_after -= 1
                return
            line = json.dumps(encode(item)).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _upgrade(self) -> None:
        self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: composer\r\n\r\n")
        self.wfile.flush()

    def _exec(self, project: str, request: messages.ExecRequest) -> None:
        """`echo` prints its arguments, `cat` what it reads, `size` the window, `exit N` exits, `hang` waits for a signal."""
        if not any(
            c.service == request.service and c.project == project for c in self.server.engine.containers.values()
        ):
            raise UsageError(
                f"service `{request.service}` is not running", hint=f"start it: `compose up -d {request.service}`"
            )
        self._upgrade()
        program, *arguments = request.command
        code = 0
        if program == "echo":
            self._send(stream.STDOUT, " ".join(arguments).encode() + b"\n")
            self._send(stream.STDERR, b"and to stderr\n")
        elif program == "exit":
            code = int(arguments[0])
        elif program == "size":
            self._send(stream.STDOUT, f"{request.rows} {request.columns}\n".encode())
        elif program == "vanish":
            return
        elif program in ("cat", "hang"):
            code = self._talk(program)
        self.wfile.write(stream.control(exit=code))

    def _attach(self, name: str) -> None:
        engine = self.server.engine
        container = next(c for c in engine.containers.values() if name in (c.id, c.name))
        self._upgrade()
        self.wfile.write(stream.control(started=True))
        self._send(stream.STDOUT, f"attached to {container.service}\n".encode())
        code = engine.exits.get(container.service, 0)
        engine.end(container.name, code)
        self.wfile.write(stream.control(exit=code))

    def _run(self, project: str, request: messages.RunRequest) -> None:
        engine = self.server.engine
        name = request.name or f"{project}-{request.service}-run-1"
        exits, engine.exits = engine.exits, {}
        engine.start(project, request.service, 0, "")
        engine.exits = exits
        engine.containers[name] = replace(
            engine.containers.pop(f"{project}-{request.service}-0"), name=name, one_off=True
        )
        self._stream(
            [messages.Event("container", name, "created"), messages.Result(container=engine.containers[name].id)]
        )

    def _talk(self, program: str) -> int:
        decoder = stream.Decoder()
        self._send(stream.STDOUT, b"ready\n")
        while data := self.connection.recv(4096):
            for kind, payload in decoder.feed(data):
                if kind == stream.STDIN and not payload:
                    return 0
                if kind == stream.STDIN and program == "cat":
                    self._send(stream.STDOUT, payload)
                if kind == stream.CONTROL:
                    message = json.loads(payload)
                    self._send(stream.STDOUT, json.dumps(message).encode() + b"\n")
                    if "signal" in message:
                        return 130
        return 0

    def _send(self, kind: int, payload: bytes) -> None:
        self.wfile.write(stream.encode(kind, payload))
        self.wfile.flush()


class Server(ThreadingUnixStreamServer):
    """The fake engine at its socket; use it as a context manager."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, engine: FakeEngine | None = None) -> None:
        self.engine = engine or FakeEngine()
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        super().__init__(str(path), Handler)

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self.path.unlink(missing_ok=True)


if __name__ == "__main__":
    Server(Path(sys.argv[1])).serve_forever()
