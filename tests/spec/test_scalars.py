"""Plain scalars mean what they mean to Docker Compose (go-yaml v3), as a table."""

from __future__ import annotations

import math

import pytest

from composer.project.scalars import as_text, resolve

TABLE: list[tuple[str, object]] = [
    # not booleans, although YAML 1.1 has them so
    ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("n", "n"), ("On", "On"),
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRue", "tRue"),
    ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"), ("None", "None"),
    ("0", 0), ("80", 80), ("-1", -1), ("+7", 7), ("08", 8.0), ("0644", 420), ("0o17", 15), ("0x1F", 31), ("0b101", 5),
    ("1_000", 1000), ("-0x10", -16),
    ("22:22", "22:22"), ("8080:80", "8080:80"), ("1:30:00", "1:30:00"), ("190:20:30", "190:20:30"),
    ("1.5", 1.5), ("3.10", 3.1), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1E-2", 0.01), ("1.2.3", "1.2.3"), ("e3", "e3"),
    (".inf", math.inf), ("-.inf", -math.inf), ("inf", "inf"),
    ("18446744073709551615", 18446744073709551615), ("18446744073709551616", 18446744073709551616.0),
    ("2001-01-01", "2001-01-01"), ("1.0.0-rc1", "1.0.0-rc1"), ("-", "-"), ("--", "--"), ("0x", "0x"), ("1k", "1k"), ("=", "="),
    ("0xZZ", "0xZZ"), ("10m", "10m"), ("...", "..."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_a_plain_scalar_has_the_value_docker_compose_gives_it(text: str, expected: object) -> None:
    value = resolve(text)

    assert value == expected
    assert type(value) is type(expected)


def test_not_a_number_is_one() -> None:
    value = resolve(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "true"), (False, "false"), (8080, "8080"), (420, "420"), (3.1, "3.1"), (5.0, "5"), (0.0001, "0.0001"),
        (0.00001, "1e-05"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.5e300, "1.5e+300"), (-2.5, "-2.5"), (0.0, "0"),
        (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), ("x", "x"),
    ],
)  # fmt: skip
def test_a_value_reads_as_go_prints_it(value: str | int | float | bool | None, text: str) -> None:
    assert as_text(value) == text
