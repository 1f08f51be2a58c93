"""What a registry's refusal means: its codes, which of them are worth another attempt, and what the user can do.

Codes are those of the distribution specification, "Error Codes"
<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>; the retryable ones are two tables.
A HEAD has no body, so its refusal has only a status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from composer.errors import RegistryError

LARGEST_BODY = 64 * 1024
"""Of a refusal's body no more is read."""
_LONGEST_MESSAGE = 300

RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
RETRYABLE_CODES = frozenset({"TOOMANYREQUESTS", "UNAVAILABLE", "UNKNOWN"})

_BY_STATUS = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NOT_FOUND", 429: "TOOMANYREQUESTS"}


def refusal(status: int, headers: Mapping[str, str], body: bytes, what: str, registry: str) -> RegistryError:
    """The error for an answer of this status; `what` could not be done, for instance "cannot pull `redis:7`"."""
    code, said = _said(body)
    code = code or _BY_STATUS.get(status, "")
    message, hint = _words(status, code, said, registry)
    wait = seconds_to_wait(headers)
    if status == 429:
        hint = _rate_limit_hint(registry, headers, wait)
    error = RegistryError(
        f"{what}: {message}",
        hint=hint,
        code=code,
        status=status,
        retryable=status in RETRYABLE_STATUSES or (code in RETRYABLE_CODES and status >= 500),
    )
    error.wait_seconds = wait
    return error


def _words(status: int, code: str, said: str, registry: str) -> tuple[str, str]:
    beside = f" ({said})" if said else ""
    match status:
        case 401:
            # Registries do not tell strangers which repositories exist.
            return (
                f"`{registry}` asks for credentials{beside}",
                f"check the name; if the repository is private: `compose login {registry}`",
            )
        case 403:
            return (
                f"`{registry}` denies it{beside}",
                f"`compose login {registry}` as a user who may; check the repository's name",
            )
        case 404:
            missing = {
                "NAME_UNKNOWN": "has no such repository",
                "MANIFEST_UNKNOWN": "has no such tag or digest in this repository",
                "BLOB_UNKNOWN": "lacks a part of the image",
            }.get(code, "does not have it")
            return f"`{registry}` {missing}{beside}", "check the spelling of the name and the tag"
        case 429:
            return f"`{registry}` allows no more requests for now{beside}", ""
        case _ if status >= 500:
            return f"`{registry}` has trouble of its own, status {status}{beside}", "try again later"
        case _:
            return f"`{registry}` answered with status {status}{f' {code}' if code else ''}{beside}", ""


def _rate_limit_hint(registry: str, headers: Mapping[str, str], wait: float | None) -> str:
    parts = []
    if wait:
        parts.append(f"try again in {_span(wait)}")
    if limit := headers.get("RateLimit-Limit", ""):
        parts.append(f"the limit is {_limit(limit)}")
    parts.append(f"`compose login {registry}` raises it, a mirror in registries.toml avoids it")
    return "; ".join(parts)


def _limit(value: str) -> str:
    """`100;w=21600` as Docker Hub writes it."""
    count, _, window = value.partition(";w=")
    return f"{count} in {_span(float(window))}" if window.isdigit() else count[:40]


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def seconds_to_wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """What `Retry-After` asks for, as seconds or as a date (RFC 9110, 10.2.3); None where it is not there."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value[:9])
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, IndexError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max((then - (now or datetime.now(UTC))).total_seconds(), 0.0)


def _said(body: bytes) -> tuple[str, str]:
    """Code and message of the first error in a body; empty where it is no document of the specification."""
    try:
        document = json.loads(body)
        first = document["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return "", ""
    return code[:60], message[:_LONGEST_MESSAGE]
