"""`x-reload`: how a service's program is told that its files have changed, where it does not see that itself.

    x-reload: {signal: SIGHUP, settle: 80ms}
    x-reload: {http: /-/reload}        a POST to its first published TCP port
    x-reload:
      run: [{path: package.json, command: npm ci}]

`settle` is how long to wait after the files are there. A step of `run` belongs to files of this machine: when one of them
was brought in, its command runs in each container, and the service restarts; other files are only brought in. `browser: true`
needs a proxy in between and is refused so far.
"""

from __future__ import annotations

import http.client
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.errors import ContainerError, UsageError
from composer.runtime import signals
from composer.watch.rules import Exec

_TIMEOUT = 10.0
_UNITS = {"ms": 0.001, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Step:
    """A command that some files ask for before the service starts again."""

    paths: tuple[str, ...]
    """Absolute, on this machine; a directory is everything in it."""
    command: Exec

    def concerns(self, changed: Iterable[str]) -> bool:
        """Whether one of these files, by absolute path, is its own."""
        return any(path == own or path.startswith(f"{own}/") for path in changed for own in self.paths)


@dataclass(frozen=True, slots=True)
class Reload:
    """What to do once files are in place."""

    signal: str = ""
    http: str = ""
    """A path of the service's own server."""
    settle: float = 0.0
    steps: tuple[Step, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether a program is told at all."""
        return bool(self.signal or self.http)

    def __str__(self) -> str:
        return self.signal or f"POST {self.http}"


def reload_of(service: str, written: Any, directory: str) -> Reload:
    """The reload that `x-reload` of a service asks for, paths relative to `directory`. Raises UsageError."""
    where = f"services.{service}.x-reload"
    if not isinstance(written, dict):
        raise UsageError(f"{where} is not a mapping", hint="write for instance `x-reload: {signal: SIGHUP}`")
    if unknown := sorted(written.keys() - {"signal", "http", "browser", "settle", "run"}):
        raise UsageError(
            f"{where}: there is no attribute `{unknown[0]}`", hint="it has `signal`, `http`, `settle` and `run`"
        )
    if written.get("browser"):
        raise UsageError(
            f"{where}.browser: pages cannot be reloaded from here yet: there is no proxy that they come through",
            hint="use the live reload of your development server",
        )
    given = [name for name in ("signal", "http") if written.get(name)]
    if len(given) > 1 or not (given or written.get("run")):
        raise UsageError(f"{where} needs either `signal` or `http`, or steps to `run`")
    signal, path = str(written.get("signal") or ""), str(written.get("http") or "")
    if signal:
        try:
            signals.number(signal)
        except ContainerError as error:
            raise UsageError(f"{where}.signal: {error.message}") from error
    if path and not path.startswith("/"):
        raise UsageError(f"{where}.http: `{path}` is not a path", hint="write for instance `http: /-/reload`")
    settle = _seconds(where, str(written.get("settle", "0s")))
    steps = written.get("run") or []
    if not isinstance(steps, list):
        raise UsageError(f"{where}.run is not a list", hint="write for instance `run: [{path: go.mod, command: make}]`")
    return Reload(
        signal, path, settle, tuple(_step(f"{where}.run[{n}]", each, directory) for n, each in enumerate(steps))
    )


def post(port: int, path: str) -> None:
    """POST to a port of this machine. Raises ContainerError when nobody answers, or not with success."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("POST", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise ContainerError(f"cannot POST `{path}` to port {port}: {error}") from error
    finally:
        connection.close()
    if status >= 400:
        raise ContainerError(f"POST `{path}` to port {port} was answered with status {status}")


def _step(where: str, written: Any, directory: str) -> Step:
    fields = written if isinstance(written, dict) else {}
    if unknown := sorted(fields.keys() - {"path", "command", "user", "working_dir", "environment", "privileged"}):
        raise UsageError(f"{where}: there is no attribute `{unknown[0]}`", hint="it has `path` and `command`")
    paths, command, environment = fields.get("path"), fields.get("command"), fields.get("environment") or {}
    if not paths or not command or not isinstance(environment, dict):
        raise UsageError(
            f"{where} needs a `path` and a `command`", hint="write `{path: package.json, command: npm ci}`"
        )
    return Step(
        paths=tuple(
            str(Path(directory, str(path)).resolve()) for path in ([paths] if isinstance(paths, str) else paths)
        ),
        command=Exec(
            command=tuple(shlex.split(command) if isinstance(command, str) else map(str, command)),
            user=str(fields.get("user") or ""),
            privileged=bool(fields.get("privileged")),
            working_dir=str(fields.get("working_dir") or ""),
            environment=tuple(f"{key}={value}" for key, value in environment.items()),
        ),
    )


def _seconds(where: str, text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    if found is None:
        raise UsageError(f"{where}.settle: `{text}` is not a duration", hint="write for instance `80ms`")
    return float(found[1]) * _UNITS[found[2]]
