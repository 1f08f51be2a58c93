"""The wildcards of `${name#pattern}` and its like: `*` and `?` within a line, `\\` before one of them, nothing else.

A pattern is a row of segments of fixed length, with anything between them. Placing each as early as it will go is enough to
find the shortest match, and the longest one differs in its last segment only: no backtracking, whatever the pattern is.
<https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_13>, without bracket expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

MAX_PATTERN = 4096


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: the segments between its stars."""

    segments: tuple[re.Pattern[str], ...]
    lengths: tuple[int, ...]

    @classmethod
    def compile(cls, text: str) -> Pattern:
        """The pattern that `text` means. Raises ValueError: an escape of something that needs none, or too long."""
        return cls._of(_tokens(text))

    @classmethod
    def compile_reversed(cls, text: str) -> Pattern:
        """The pattern for a text read backwards. Raises ValueError as `compile` does."""
        return cls._of(_tokens(text)[::-1])

    @classmethod
    def _of(cls, tokens: list[str]) -> Pattern:
        stars = [-1, *(index for index, token in enumerate(tokens) if token == "*"), len(tokens)]
        parts = [tokens[left + 1 : right] for left, right in pairwise(stars)]
        return cls(tuple(re.compile("".join(part)) for part in parts), tuple(map(len, parts)))

    def match(self, value: str, start: int, *, longest: bool) -> int | None:
        """Where the match that begins at `start` ends; None if there is none."""
        end = value.find("\n", start)
        end = len(value) if end < 0 else end
        first = self.segments[0].match(value, start)
        if first is None or len(self.segments) == 1:
            return first and first.end()
        at = first.end()
        for segment in self.segments[1:-1]:
            if (found := segment.search(value, at, max(at, end))) is None:
                return None
            at = found.end()
        last, length = self.segments[-1], self.lengths[-1]
        if not longest:
            found = last.search(value, at, max(at, end))
            return found and found.end()
        places = range(max(at, end) - length, at - 1, -1)
        return next((place + length for place in places if last.match(value, place)), None)

    def search(self, value: str, start: int) -> tuple[int, int] | None:
        """The first match from `start` on, the longest where several begin at one place."""
        while (first := self.segments[0].search(value, start)) is not None:
            at = first.start()
            if (end := self.match(value, at, longest=True)) is not None:
                return at, end
            # What does not fit behind this place fits behind no later one of the line.
            line_end = value.find("\n", at)
            if line_end < 0:
                return None
            start = line_end + 1
        return None


def without_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """`value` without what matches at its start. Raises ValueError for a bad pattern."""
    end = Pattern.compile(pattern).match(value, 0, longest=longest)
    return value[end or 0 :]


def without_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """`value` without what matches at its end. Raises ValueError for a bad pattern."""
    backwards = value[::-1]
    end = Pattern.compile_reversed(pattern).match(backwards, 0, longest=longest)
    return backwards[end or 0 :][::-1]


def replaced(value: str, pattern: str, replacement: str, *, every: bool) -> str:
    """`value` with the first match, or all, replaced. Raises ValueError for a bad pattern."""
    compiled = Pattern.compile(pattern)
    pieces, done, at, last = [], 0, 0, -1
    while at <= len(value) and (found := compiled.search(value, at)) is not None:
        start, end = found
        if start == end == last:  # an empty match right behind another does not count
            at += 1
            continue
        pieces += [value[done:start], replacement]
        done = at = last = end
        if not every:
            break
        at += start == end
    return "".join(pieces) + value[done:]


def _tokens(text: str) -> list[str]:
    if len(text) > MAX_PATTERN:
        raise ValueError(f"a pattern of more than {MAX_PATTERN} characters")
    tokens: list[str] = []
    index = 0
    while index < len(text):
        character = text[index]
        index += 1
        if character == "\\":
            following = text[index : index + 1]
            if following in ("}", "/"):  # escaped for `${…}`, which is none of the pattern's business
                continue
            if following not in ("*", "?", "\\"):
                raise ValueError(f"invalid escape `\\{following}`")
            tokens.append(re.escape(following))
            index += 1
        elif character == "?":
            tokens.append(".")
        elif character != "*":
            tokens.append(re.escape(character))
        elif tokens[-1:] != ["*"]:
            tokens.append("*")
    return tokens
