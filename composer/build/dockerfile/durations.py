"""Durations as Go writes them: `1m30s`, `1.5h`, `500ms`.

<https://pkg.go.dev/time#ParseDuration>
"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = (1 << 63) - 1


def nanoseconds(text: str) -> int:
    """The duration that `text` means. Raises ValueError, saying what one looks like."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total = Fraction(0)
    at = 0
    if not rest or len(rest) > 100:
        raise _invalid(text)
    while at < len(rest):
        match = _PART.match(rest, at)
        if match is None or not (match[1] or match[2]):
            raise _invalid(text)
        total += Fraction(f"{match[1] or 0}.{match[2] or 0}") * _UNITS[match[3]]
        at = match.end()
    if total > _LONGEST:
        raise ValueError(f"`{text}` is longer than 290 years")
    return sign * int(total)


def _invalid(text: str) -> ValueError:
    return ValueError(f"`{text[:100]}` is no duration; write for instance `30s` or `1m30s`")
