"""What the engine answers, as messages; whatever cannot be read is an EngineError that says so."""

from __future__ import annotations

import json
from typing import Any, TypeVar
from urllib.parse import quote

from composer.api.codec import decode
from composer.api.connection import EngineLost, Response
from composer.errors import ComposerError, EngineError, error_from_wire

T = TypeVar("T")


def project_target(name: str) -> str:
    """The beginning of every path about a project."""
    return f"/projects/{quote(name, safe='')}"


def json_object(line: bytes) -> dict[str, Any]:
    """A line of a stream. Raises EngineError."""
    try:
        data = json.loads(line)
    except ValueError as error:
        raise EngineError(f"the engine said something that is not JSON: {line[:80]!r}") from error
    if not isinstance(data, dict):
        raise EngineError(f"the engine said something unexpected: {line[:80]!r}")
    return data


def decoded(kind: type[T], data: Any) -> T:
    """The message that `data` describes. Raises EngineError."""
    try:
        return decode(kind, data)
    except ValueError as error:
        raise EngineError(
            f"the engine's answer is not understood: {error}",
            hint="client and engine may be of different versions; try `compose engine stop`",
        ) from error


def refusal(response: Response) -> ComposerError:
    """The error that an answer of status 400 or more carries; reads it to its end."""
    try:
        data = json.loads(response.read())
        return error_from_wire(data["error"])
    except (EngineLost, ValueError, KeyError, TypeError, AttributeError):
        return EngineError(f"the engine refused the request: status {response.status}")
