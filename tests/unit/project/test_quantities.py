from __future__ import annotations

import pytest

from composer.project.quantities import format_duration, parse_duration, parse_limit, parse_size
from composer.project.shapes import FormError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("0s", 0), ("10s", 10), ("1m30s", 90), ("1h5m30s20ms", 3930.02), ("1.5s", 1.5), (".5s", 0.5), ("20ms", 0.02),
        ("5us", 5e-6), ("1d", 86400), ("1w", 604800), ("+3s", 3), ("2m2m", 240),
    ],
)  # fmt: skip
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "5x", "-1s", "1 s", "1s1", "1,5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(FormError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (10, "10s"), (60, "1m0s"), (90, "1m30s"), (3600, "1h0m0s"), (3930.02, "1h5m30.02s"), (0.5, "500ms"),
     (1.5, "1.5s"), (5e-6, "5µs"), (1e-9, "1ns"), (0.0015, "1.5ms")],
)  # fmt: skip
def test_a_duration_prints_as_go_prints_it_and_reads_back(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("512", 512), ("1b", 1), ("1k", 1024), ("1kb", 1024), ("2M", 2 << 20), ("1.5gb", 3 << 29), ("1GiB", 1 << 30),
     ("1t", 1 << 40), ("10 mb", 10 << 20)],
)  # fmt: skip
def test_a_size_is_bytes(text: str, count: int) -> None:
    assert parse_size(text) == parse_limit(text) == count


def test_a_limit_may_be_none() -> None:
    assert parse_limit("-1") == -1


@pytest.mark.parametrize("text", ["", "m", "5q", "-5m", "-1", "1.2.3m", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(FormError):
        parse_size(text)
