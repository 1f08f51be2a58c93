import pytest

from composer.build.history import duration, quoted


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (30, "30s"),
        (90, "1m30s"),
        (60, "1m0s"),
        (3600, "1h0m0s"),
        (5400.25, "1h30m0.25s"),
        (0.1, "100ms"),
        (0.0015, "1.5ms"),
        (0.000002, "2µs"),
        (0.000000001, "1ns"),
        (1.5, "1.5s"),
    ],
)
def test_durations_are_printed_as_go_prints_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", '"plain"'),
        ('a "b" \\', '"a \\"b\\" \\\\"'),
        ("line\n\ttab", '"line\\n\\ttab"'),
        ("ünï", '"ünï"'),
        ("\x01\u200b", '"\\x01\\u200b"'),
    ],
)
def test_strings_are_quoted_as_go_quotes_them(text: str, shown: str) -> None:
    assert quoted(text) == shown
