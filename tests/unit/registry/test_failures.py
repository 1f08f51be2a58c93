from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from composer.errors import RegistryError
from composer.registry.failures import refusal, seconds_to_wait
from composer.registry.retry import ATTEMPTS, Patience, persistently
from tests.fakes.clock import FakeClock


def body(code: str, message: str = "") -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def refused(status: int, content: bytes = b"", **headers: str) -> RegistryError:
    return refusal(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, content, "cannot pull `a`", "r.test"
    )


@pytest.mark.parametrize(
    ("status", "code", "retryable", "words"),
    [
        (401, "UNAUTHORIZED", False, "asks for credentials"),
        (403, "DENIED", False, "denies it"),
        (404, "MANIFEST_UNKNOWN", False, "no such tag"),
        (404, "NAME_UNKNOWN", False, "no such repository"),
        (408, "", True, "status 408"),
        (429, "TOOMANYREQUESTS", True, "no more requests"),
        (500, "UNKNOWN", True, "trouble of its own"),
        (501, "UNSUPPORTED", False, "trouble of its own"),
        (503, "UNAVAILABLE", True, "trouble of its own"),
        (400, "MANIFEST_INVALID", False, "status 400 MANIFEST_INVALID"),
    ],
)
def test_what_a_status_means_and_whether_it_passes(status: int, code: str, retryable: bool, words: str) -> None:
    error = refused(status, body(code, "because"))

    assert error.message.startswith("cannot pull `a`: `r.test` ")
    assert words in error.message
    assert "because" in error.message
    assert (error.code or code, error.status, error.retryable) == (code or error.code, status, retryable)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"errors": []}', b'{"errors": [1]}', b"[" * 60000])
def test_a_body_of_any_kind_is_no_trouble(content: bytes) -> None:
    assert "asks for credentials" in refused(401, content).message


def test_a_pause_may_be_asked_for_in_seconds_or_by_date() -> None:
    now = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC)

    assert seconds_to_wait({"Retry-After": "7"}) == 7
    assert seconds_to_wait({"Retry-After": "Mon, 01 Jan 2024 12:00:30 GMT"}, now) == 30
    assert seconds_to_wait({"Retry-After": "Mon, 01 Jan 2024 11:00:00 GMT"}, now) == 0
    assert seconds_to_wait({"Retry-After": "soon"}) is None
    assert seconds_to_wait({}) is None


def test_attempts_are_counted_and_waits_grow() -> None:
    clock = FakeClock()
    asked = []

    async def ask() -> None:
        asked.append(1)
        raise RegistryError("no", retryable=True)

    with pytest.raises(RegistryError) as given_up:
        asyncio.run(persistently(clock, ask))

    assert len(asked) == ATTEMPTS
    assert len(clock.slept) == ATTEMPTS - 1
    assert clock.slept == sorted(clock.slept) or clock.slept[-1] > clock.slept[0]
    assert not given_up.value.retryable


def test_progress_starts_the_count_anew() -> None:
    async def go() -> None:
        patience = Patience(FakeClock())
        for _ in range(3 * ATTEMPTS):
            await patience.after(RegistryError("no", retryable=True))
            patience.progressed()

    asyncio.run(go())
