"""Wildcards in sources, as Go's `filepath.Match` reads them <https://pkg.go.dev/path/filepath#Match>.

`*` and `?` stay within a name, `[a-z]` and `[^a-z]` are classes, a backslash takes a character as it is. So a pattern is
matched name by name.
"""

from __future__ import annotations

import re

from composer.ignore.docker import STAR, joined


def has_wildcards(text: str) -> bool:
    """Whether `text` has a `*`, `?` or `[` that is not escaped."""
    return re.search(r"[*?\[]", re.sub(r"\\.", "", text, flags=re.DOTALL)) is not None


def compile_name(pattern: str) -> re.Pattern[str]:
    """The pattern for one name. Raises ValueError where it is malformed."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            parts.append(STAR)
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            expression, position = _class(pattern, position)
            parts.append(expression)
        else:
            text, position = _character(pattern, position - 1)
            parts.append(re.escape(text))
    return re.compile(joined(parts), re.DOTALL)


def _class(pattern: str, position: int) -> tuple[str, int]:
    """The class that begins behind its `[`, and where it ends."""
    negated = pattern.startswith("^", position)
    position += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", position)):
        if position >= len(pattern) or pattern[position] in "-]":
            raise ValueError(f"`{pattern}` has a malformed class `[…]`")
        low, position = _character(pattern, position)
        high = low
        if pattern.startswith("-", position):
            if position + 1 >= len(pattern) or pattern[position + 1] in "-]":
                raise ValueError(f"`{pattern}` has a malformed class `[…]`")
            high, position = _character(pattern, position + 1)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append("")  # an empty range is allowed and matches nothing
    inner = "".join(ranges)
    if not inner:
        return ("[^/]" if negated else "(?!)"), position + 1
    return (f"[^/{inner}]" if negated else f"(?!/)[{inner}]"), position + 1


def _character(pattern: str, position: int) -> tuple[str, int]:
    if pattern[position] != "\\":
        return pattern[position], position + 1
    if position + 1 >= len(pattern):
        raise ValueError(f"`{pattern}` ends with a backslash that escapes nothing")
    return pattern[position + 1], position + 2
