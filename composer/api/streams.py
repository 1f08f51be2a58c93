"""Answers that go on: events until a result, log lines, containers' events.

Each can be iterated, or polled when a selector finds its `fileno` readable. When the engine dies under one, the client has
another engine started and the stream goes on: a request is sent again, a log is taken up at the last line seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from composer.api import messages
from composer.api.answers import decoded, json_object, project_target
from composer.api.connection import EngineLost, Response
from composer.errors import error_from_wire

if TYPE_CHECKING:
    from composer.api.client import Client

ATTEMPTS = 3
"""How often a request is sent before the engine is given up."""


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

    def poll(self) -> Iterator[messages.Event | messages.Result]:
        """What has come; blocks when called without something to read. What came before a failure is told before it."""
        try:
            lines = self._response.poll()
            for line in lines:
                yield self._read(line)
            if self._response.complete and self.result is None:
                raise EngineLost
        except EngineLost as lost:
            self.close()
            self._lost += 1
            self._client.recover(self._lost, lost)
            self._response = self._client.open("POST", self._target, self._body)

    def close(self) -> None:
        """Hang up: the engine gives the request up, what is done stays done."""
        self._response.close()

    def _read(self, line: bytes) -> messages.Event | messages.Result:
        data = json_object(line)
        if "resource" in data:
            return decoded(messages.Event, data)
        result = decoded(messages.Result, data)
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
            self._response = self.client.open("GET", f"{project_target(self.project)}/logs?{self._resumed().query()}")
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
        entries = (decoded(messages.LogEntry, json_object(line)) for line in lines)
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
        since = max(min(seen.time for seen in self._seen.values()), self.options.since or 0.0)
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


def container_events(response: Response) -> list[messages.ContainerEvent]:
    """What has come on the stream that `Client.events` opened. Raises EngineLost when it breaks off."""
    events = [decoded(messages.ContainerEvent, json_object(line)) for line in response.poll()]
    if response.complete:
        raise EngineLost
    return events
