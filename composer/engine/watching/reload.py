"""`x-reload`: how a service's program is told that its files have changed, where it does not see that itself.

    x-reload: {signal: SIGHUP, settle: 80ms}
    x-reload: {http: /-/reload}        a POST to its first published TCP port

`settle` is how long to wait after the files are there. `browser: true` needs a proxy in between and is refused so far.
"""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass
from typing import Any

from composer.errors import ContainerError, UsageError
from composer.runtime import signals

_TIMEOUT = 10.0
_UNITS = {"ms": 0.001, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Reload:
    """What to do once files are in place."""

    signal: str = ""
    http: str = ""
    """A path of the service's own server."""
    settle: float = 0.0

    def __str__(self) -> str:
        return self.signal or f"POST {self.http}"


def reload_of(service: str, written: Any) -> Reload:
    """The reload that `x-reload` of a service asks for. Raises UsageError for one that cannot be."""
    where = f"services.{service}.x-reload"
    if not isinstance(written, dict):
        raise UsageError(f"{where} is not a mapping", hint="write for instance `x-reload: {signal: SIGHUP}`")
    if unknown := sorted(written.keys() - {"signal", "http", "browser", "settle"}):
        raise UsageError(f"{where}: there is no attribute `{unknown[0]}`", hint="it has `signal`, `http` and `settle`")
    if written.get("browser"):
        raise UsageError(
            f"{where}.browser: pages cannot be reloaded from here yet: there is no proxy that they come through",
            hint="use the live reload of your development server",
        )
    if bool(written.get("signal")) == bool(written.get("http")):
        raise UsageError(f"{where} needs either `signal` or `http`")
    signal, path = str(written.get("signal") or ""), str(written.get("http") or "")
    if signal:
        try:
            signals.number(signal)
        except ContainerError as error:
            raise UsageError(f"{where}.signal: {error.message}") from error
    if path and not path.startswith("/"):
        raise UsageError(f"{where}.http: `{path}` is not a path", hint="write for instance `http: /-/reload`")
    return Reload(signal, path, _seconds(where, str(written.get("settle", "0s"))))


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


def _seconds(where: str, text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    if found is None:
        raise UsageError(f"{where}.settle: `{text}` is not a duration", hint="write for instance `80ms`")
    return float(found[1]) * _UNITS[found[2]]
