"""The engine's calls, synchronous: one method a line of the table in `messages`.

The engine is started when nobody answers. If it dies under a request that may be repeated (all but exec, run and attach:
they name a goal, not a step), it is started again and the request sent again, up to three times; streams of logs go on
where they were. Whatever goes wrong below is a ComposerError above.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from composer.api import messages
from composer.api.codec import decode, encode
from composer.api.connection import EngineLost, Response, send
from composer.api.starter import ensure_engine
from composer.errors import ComposerError, EngineError, error_from_wire
from composer.paths import Paths

T = TypeVar("T")
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which lines of a project's logs; times are seconds since the epoch."""

    services: tuple[str, ...] = ()
    tail: int | None = None
    since: float | None = None
    until: float | None = None
    follow: bool = False

    def query(self) -> str:
        pairs: list[tuple[str, Any]] = [("service", service) for service in self.services]
        pairs += [(name, value) for name in ("tail", "since", "until") if (value := getattr(self, name)) is not None]
        return urlencode([*pairs, ("follow", 1)] if self.follow else pairs)


class EventStream:
    """A request that answers with events; iterate it, or `poll` it when a selector finds it readable.

    The last item is a `Result`. A failure on the engine's side is raised as the error it is.
    """

    def __init__(self, client: Client, target: str, body: bytes, *, repeatable: bool) -> None:
        self._client, self._target, self._body = client, target, body
        self._lost = 0 if repeatable else ATTEMPTS
        self.result: messages.Result | None = None
        self._response = client.open("POST", target, body)

    def __iter__(self) -> Iterator[messages.Event | messages.Result]:
        try:
            while self.result is None:
                yield from self.poll()
        finally:
            self.close()

    def fileno(self) -> int:
        return self._response.fileno()

    def poll(self) -> list[messages.Event | messages.Result]:
        """What has come; blocks when called without something to read."""
        try:
            items = [self._read(line) for line in self._response.poll()]
            if self._response.complete and self.result is None:
                raise EngineLost
        except EngineLost as lost:
            self.close()
            self._lost += 1
            self._client.recover(self._lost, lost)
            self._response = self._client.open("POST", self._target, self._body)
            return []
        return items

    def close(self) -> None:
        """Hang up: the engine gives the request up, what is done stays done."""
        self._response.close()

    def _read(self, line: bytes) -> messages.Event | messages.Result:
        data = _json(line)
        if "resource" in data:
            return _decoded(messages.Event, data)
        result = _decoded(messages.Result, data)
        self.result = result
        if result.error:
            self.close()
            raise error_from_wire(result.error)
        return result


@dataclass(slots=True)
class _Seen:
    """How far one container's log has been read: the newest time, and how many entries carried it."""

    time: float = 0.0
    count: int = 0


@dataclass(slots=True)
class LogStream:
    """Log lines as they come; goes on after the engine's death without a line lost or doubled."""

    client: Client
    project: str
    options: LogOptions
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _skip: dict[str, _Seen] = field(default_factory=dict)
    _response: Response | None = None
    _lost: int = 0

    def __iter__(self) -> Iterator[messages.LogEntry]:
        try:
            while not self.complete:
                yield from self.poll()
        finally:
            self.close()

    @property
    def response(self) -> Response:
        if self._response is None:
            self._response = self.client.open("GET", f"{_project(self.project)}/logs?{self._resumed().query()}")
        return self._response

    @property
    def complete(self) -> bool:
        return self.response.complete

    def fileno(self) -> int:
        return self.response.fileno()

    def poll(self) -> list[messages.LogEntry]:
        """What has come; blocks when called without something to read."""
        try:
            lines = self.response.poll()
        except EngineLost as lost:
            self.reopen()
            self._lost += 1
            self.client.recover(self._lost, lost)
            return []
        self._lost = 0 if lines else self._lost
        entries = (_decoded(messages.LogEntry, _json(line)) for line in lines)
        return [entry for entry in entries if self._is_new(entry)]

    def reopen(self, *, follow: bool | None = None) -> None:
        """Ask again from the last line seen on, for instance to get the rest without following."""
        self.close()
        if follow is not None:
            self.options = replace(self.options, follow=follow)
        self._skip = {name: _Seen(seen.time, seen.count) for name, seen in self._seen.items()}

    def close(self) -> None:
        """Hang up; idempotent."""
        if self._response is not None:
            self._response.close()
        self._response = None

    def _resumed(self) -> LogOptions:
        if not self._seen:
            return self.options
        since = min(seen.time for seen in self._seen.values())
        return replace(self.options, tail=None, since=since)

    def _is_new(self, entry: messages.LogEntry) -> bool:
        skip = self._skip.get(entry.container)
        if skip is not None:
            if entry.time < skip.time:
                return False
            if entry.time == skip.time and skip.count > 0:
                skip.count -= 1
                return False
        seen = self._seen.setdefault(entry.container, _Seen())
        if entry.time > seen.time:
            seen.time, seen.count = entry.time, 0
        seen.count += 1
        return True


class Client:
    """The calls. `notice` is told, in a sentence, what the user should know about while a request goes on."""

    def __init__(
        self, paths: Paths, environment: Mapping[str, str], notice: Callable[[str], None] | None = None
    ) -> None:
        self._paths = paths
        self._environment = environment
        self._notice = notice or (lambda _: None)

    def version(self) -> dict[str, Any]:
        """What the engine says of itself: version, api, pid."""
        answer: dict[str, Any] = self._get("/version")
        return answer

    def status(self) -> messages.EngineStatus:
        """The engine's pids, place and numbers."""
        return _decoded(messages.EngineStatus, self._get("/engine"))

    def stop_engine(self, *, force: bool = False) -> EventStream:
        """End keeper and engine; with `force` the containers too."""
        return self._events("/engine/stop", {"force": force})

    def projects(self, *, all_projects: bool = False) -> list[messages.ProjectSummary]:
        """The projects with running containers, or all that are recorded."""
        return self._list(messages.ProjectSummary, "/projects" + ("?all=1" if all_projects else ""))

    def up(self, project: str, request: messages.UpRequest) -> EventStream:
        """Bring the project to what the request says."""
        return self._events(f"{_project(project)}/up", request)

    def down(self, project: str, request: messages.DownRequest) -> EventStream:
        """Remove the project's containers and networks."""
        return self._events(f"{_project(project)}/down", request)

    def act(self, verb: str, project: str, request: messages.ServicesRequest) -> EventStream:
        """`stop`, `start`, `restart`, `kill` or `rm` of services."""
        return self._events(f"{_project(project)}/{verb}", request)

    def containers(self, project: str, *, all_containers: bool = False) -> list[messages.ContainerSummary]:
        """The project's containers: the running ones, or all."""
        query = "?all=1" if all_containers else ""
        return self._list(messages.ContainerSummary, f"{_project(project)}/containers{query}")

    def logs(self, project: str, options: LogOptions) -> LogStream:
        """The project's log lines, in order of time."""
        return LogStream(self, project, options)

    def events(self, project: str) -> Response:
        """A stream of `ContainerEvent` lines from now on; `container_events` reads what has come."""
        return self.open("GET", f"{_project(project)}/events")

    def run(self, project: str, request: messages.RunRequest) -> EventStream:
        """Create a one-off container; the Result names it. Not repeated when the engine dies."""
        return self._events(f"{_project(project)}/run", request, repeatable=False)

    def execute(self, project: str, request: messages.ExecRequest) -> socket.socket:
        """Start a process in a running container."""
        return self._upgrade(f"{_project(project)}/exec", request)

    def attach(self, container: str, *, start: bool, stdin: bool, logs: bool = False) -> socket.socket:
        """The container's own streams, starting it first if asked."""
        body = {"start": start, "stdin": stdin, "logs": logs}
        return self._upgrade(f"/containers/{quote(container)}/attach", body)

    def remove_container(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove one container; one that is gone is success."""
        self._call("POST", f"/containers/{quote(container)}/remove", {"force": force, "volumes": volumes})

    def wait(self, container: str) -> int:
        """The exit code, once the container has ended."""
        return int(self._get(f"/containers/{quote(container)}/wait")["exit_code"])

    def images(self) -> list[messages.ImageSummary]:
        """Every reference in the store."""
        return self._list(messages.ImageSummary, "/images")

    def import_image(self, path: str, reference: str, changes: tuple[str, ...] = ()) -> dict[str, str]:
        """Make an image of a root file system: a directory or a tar archive. Answers with reference and id."""
        body = {"path": path, "reference": reference, "changes": list(changes)}
        answer: dict[str, str] = self._call("POST", "/images/import", body)
        return answer

    def load_image(self, path: str) -> list[str]:
        """Take in an OCI layout, OCI archive or docker archive; the references it brought."""
        answer: list[str] = self._call("POST", "/images/load", {"path": path})["references"]
        return answer

    def remove_images(self, references: list[str], *, force: bool = False) -> list[str]:
        """Remove references, and the content nothing else needs; what was removed."""
        answer: list[str] = self._call("POST", "/images/remove", {"references": references, "force": force})["removed"]
        return answer

    def open(self, method: str, target: str, body: bytes = b"", *, upgrade: bool = False) -> Response:
        """Send a request, starting the engine if there is none; an answer that is an error is raised."""
        try:
            response = send(self._paths.engine_socket, method, target, body, upgrade=upgrade)
        except (FileNotFoundError, ConnectionRefusedError):
            ensure_engine(self._paths, self._environment)
            response = self._send_again(method, target, body, upgrade=upgrade)
        except EngineLost as lost:
            if upgrade:
                raise EngineError("the engine went away before it answered") from lost
            self.recover(1, lost)
            response = self._send_again(method, target, body)
        except OSError as error:
            raise self._unreachable(error) from error
        if response.status >= 400:
            raise _refusal(response)
        if upgrade and response.status != 101:
            response.close()
            raise EngineError(f"the engine did not open the stream: status {response.status}")
        return response

    def recover(self, attempt: int, cause: EngineLost) -> None:
        """Have an engine again after it went away in the middle of an answer, or give up after `ATTEMPTS`."""
        if attempt >= ATTEMPTS:
            raise EngineError(
                "the engine went away during this request", hint=f"read {self._paths.engine_log}"
            ) from cause
        self._notice("the engine went away; carrying on with a new one")
        ensure_engine(self._paths, self._environment)

    def _send_again(self, method: str, target: str, body: bytes, *, upgrade: bool = False) -> Response:
        try:
            return send(self._paths.engine_socket, method, target, body, upgrade=upgrade)
        except (EngineLost, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> EngineError:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it hung up"
        return EngineError(
            f"cannot reach the engine at {self._paths.engine_socket}: {why}", hint=f"read {self._paths.engine_log}"
        )

    def _call(self, method: str, target: str, body: Any = None) -> Any:
        payload = b"" if body is None else json.dumps(encode(body)).encode()
        attempt = 0
        while True:
            try:
                return json.loads(self.open(method, target, payload).read() or b"null")
            except EngineLost as lost:
                attempt += 1
                self.recover(attempt, lost)
            except json.JSONDecodeError as error:
                raise EngineError(f"the engine's answer to {target} is not JSON") from error

    def _get(self, target: str) -> Any:
        return self._call("GET", target)

    def _list(self, kind: type[T], target: str) -> list[T]:
        answer = self._get(target)
        if not isinstance(answer, list):
            raise EngineError(f"the engine's answer to {target} is not a list")
        return [_decoded(kind, item) for item in answer]

    def _events(self, target: str, body: Any, *, repeatable: bool = True) -> EventStream:
        return EventStream(self, target, json.dumps(encode(body)).encode(), repeatable=repeatable)

    def _upgrade(self, target: str, body: Any) -> socket.socket:
        return self.open("POST", target, json.dumps(encode(body)).encode(), upgrade=True).socket


def container_events(response: Response) -> list[messages.ContainerEvent]:
    """What has come on the stream that `Client.events` opened. Raises EngineLost when it breaks off."""
    events = [_decoded(messages.ContainerEvent, _json(line)) for line in response.poll()]
    if response.complete:
        raise EngineLost
    return events


def _project(name: str) -> str:
    return f"/projects/{quote(name, safe='')}"


def _json(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise EngineError(f"the engine said something that is not JSON: {line[:80]!r}") from error
    if not isinstance(data, dict):
        raise EngineError(f"the engine said something unexpected: {line[:80]!r}")
    return data


def _decoded(kind: type[T], data: Any) -> T:
    try:
        return decode(kind, data)
    except ValueError as error:
        raise EngineError(
            f"the engine's answer is not understood: {error}",
            hint="client and engine may be of different versions; try `compose engine stop`",
        ) from error


def _refusal(response: Response) -> ComposerError:
    try:
        data = json.loads(response.read())
        return error_from_wire(data["error"])
    except (EngineLost, ValueError, KeyError, TypeError, AttributeError):
        return EngineError(f"the engine refused the request: status {response.status}")
