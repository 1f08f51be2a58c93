"""The patterns of `.dockerignore`, as moby/patternmatcher and its `ignorefile` read them.

The last pattern that matches a path, or a directory above it, decides; `!` makes it an exception. `*` and `?` stay within
a name, `**` is any number of directories. See <https://docs.docker.com/build/concepts/context/#dockerignore-files>.

A pattern that matches a directory matches what is below it, so each becomes one regular expression that may end at a slash.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from itertools import zip_longest

_AT_BOUNDARY = r"(?:/|\Z)"


class DockerPatterns:
    """An ordered list of patterns, compiled."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """`patterns` as they stand in the file, without comments. Raises ValueError, naming the one that is malformed."""
        self._patterns = [pattern for text in patterns if (pattern := _cleaned(text))]
        self._exceptions = [pattern[1:].split("/") for pattern in self._patterns if pattern.startswith("!")]
        if self._exceptions:
            self._ordered = [(p.startswith("!"), _compiled([p.removeprefix("!")])) for p in self._patterns]
        else:  # order does not matter: one search answers for all
            self._ordered = [(False, _compiled(self._patterns))] if self._patterns else []

    @classmethod
    def parse(cls, text: str) -> DockerPatterns:
        """The patterns of a `.dockerignore` file. Raises ValueError as the constructor does."""
        lines = text.removeprefix("\ufeff").splitlines()
        return cls(line for line in lines if not line.startswith("#"))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def matches(self, path: str) -> bool:
        """Whether the patterns leave `path` out."""
        matched = False
        for exception, pattern in self._ordered:
            if exception == matched and pattern.match(path):
                matched = not exception
        return matched

    def prunes(self, directory: str) -> bool:
        """Whether they leave out `directory` and all that can be below it, exceptions included."""
        if not self.matches(directory):
            return False
        parts = directory.split("/")
        return not any(_may_be_below(exception, parts) for exception in self._exceptions)


def _cleaned(text: str) -> str:
    """The pattern without surrounding space, `.`, doubled or outer slashes; "" for none."""
    text = text.strip()
    exception = text.startswith("!")
    if exception:
        text = text[1:].strip()
        if not text:
            raise ValueError("illegal exclusion pattern: `!`")
    if not text:
        return ""
    cleaned = posixpath.normpath(text).lstrip("/")
    if cleaned in ("", "."):
        return ""
    return f"!{cleaned}" if exception else cleaned


def _compiled(patterns: list[str]) -> re.Pattern[str]:
    expressions = [_expression(pattern) for pattern in patterns]
    return re.compile(f"(?:{'|'.join(expressions)}){_AT_BOUNDARY}", re.DOTALL)


def _expression(pattern: str) -> str:
    """One pattern as a regular expression. Raises ValueError for one that `filepath.Match` refuses."""
    parts: list[str] = []
    position, length = 0, len(pattern)
    while position < length:
        character = pattern[position]
        position += 1
        if pattern.startswith("**", position - 1):
            position += 1
            slash = pattern.startswith("/", position)
            position += slash
            if position >= length or (not parts and not slash and not re.search(r"[*?\[\]\\]", pattern[position:])):
                parts.append(".*")
            else:
                parts.append("(?:.*/)?")
        elif character == "*":
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            end = _end_of_class(pattern, position)
            parts.append(f"[{pattern[position:end]}]")
            position = end + 1
        elif character == "\\":
            if position >= length:
                raise ValueError(f"`{pattern}` ends with a backslash that escapes nothing")
            parts.append(re.escape(pattern[position]))
            position += 1
        else:
            parts.append(re.escape(character))
    expression = "".join(parts)
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"`{pattern}` is no pattern: {error}") from error
    return expression


def _end_of_class(pattern: str, position: int) -> int:
    """Where the `]` is that ends the class begun before `position`."""
    first = position + pattern.startswith("^", position)
    end = first
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    if end >= len(pattern) or end == first:
        raise ValueError(f"`{pattern}` is no pattern: a `[` without its `]`")
    return end


def _may_be_below(exception: list[str], directory: list[str]) -> bool:
    """Whether something below `directory` may match `exception`; yes in doubt."""
    for wanted, part in zip_longest(exception, directory):
        if wanted is None:  # the exception is about a directory above: then about this one and all below, too
            return True
        if "**" in wanted or part is None:
            return True
        if not re.fullmatch(_expression(wanted), part, re.DOTALL):
            return False
    return True
