"""The patterns of `.dockerignore`, as moby/patternmatcher and its `ignorefile` read them.

The last pattern that matches a path, or a directory above it, decides; `!` makes it an exception. `*` and `?` stay within
a name, `**` is any number of directories. See <https://docs.docker.com/build/concepts/context/#dockerignore-files>.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple


class Decision(NamedTuple):
    """What the patterns say of one path; given back when asking about what is below it."""

    ignored: bool = False
    matched: tuple[bool, ...] = ()
    """Which of the patterns matched it or something above it, as far as each was asked."""


NOTHING_ABOVE = Decision()
"""Where a walk begins."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern as it stands in its file."""

    text: str
    line: int
    """Counted from 1; 0 where the patterns came from no file."""


class DockerPatterns:
    """An ordered list of patterns, compiled."""

    def __init__(self, patterns: Iterable[str], lines: Sequence[int] = ()) -> None:
        """`patterns` as they stand in the file, without comments. Raises ValueError, naming the one that is malformed."""
        given = [(text, line) for text, line in zip_longest(patterns, lines, fillvalue=0) if isinstance(text, str)]
        known = [(pattern, Rule(text.strip(), line)) for text, line in given if (pattern := _cleaned(text))]
        self._rules = [rule for _, rule in known]
        self._patterns = [pattern for pattern, _ in known]
        self._exceptions = [pattern[1:].split("/") for pattern in self._patterns if pattern.startswith("!")]
        self._ordered = [
            (pattern.startswith("!"), _alone(pattern.removeprefix("!"), rule.line)) for pattern, rule in known
        ]
        # Without exceptions order does not matter: one search answers for all.
        self._any = None if self._exceptions else _compiled(self._patterns)
        self._last = "", NOTHING_ABOVE
        """The directory of the path asked about last, and what was decided there: most often the next is beside it."""

    @classmethod
    def parse(cls, text: str) -> DockerPatterns:
        """The patterns of a `.dockerignore` file. Raises ValueError as the constructor does."""
        numbered = [
            (line, number)
            for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1)
            if not line.startswith("#")
        ]
        return cls([line for line, _ in numbered], [number for _, number in numbered])

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DockerPatterns) and self._patterns == other._patterns

    def __hash__(self) -> int:
        return hash(tuple(self._patterns))

    @property
    def has_exceptions(self) -> bool:
        """Whether any pattern begins with `!`."""
        return bool(self._exceptions)

    def decide(self, path: str, above: Decision = NOTHING_ABOVE) -> Decision:
        """About `path`, after what was decided `above` it; a walk from the top asks about each path once.

        As moby/patternmatcher's `MatchesUsingParentResults`: a pattern that matched a directory matches all below it, but
        one that had nothing to say there is not asked about that directory again.
        """
        if self._any:
            return above if above.ignored or not self._any.match(path) else _IGNORED
        ignored, matched = False, []
        for index, (exception, pattern) in enumerate(self._ordered):
            hit = above.matched[index] if above.matched else False
            if not hit and exception == ignored:
                hit = pattern.match(path) is not None
            matched.append(hit)
            if hit:
                ignored = not exception
        return Decision(ignored, tuple(matched))

    def matches(self, path: str) -> bool:
        """Whether the patterns leave `path` out."""
        return self.decision(path).ignored

    def rule(self, path: str) -> Rule | None:
        """The pattern because of which `path` is left out, None where it is not."""
        decision = self.decision(path)
        if not decision.ignored:
            return None
        if self._any:
            places = _places(path)
            return next(r for r, (_, p) in zip(self._rules, self._ordered, strict=True) if any(map(p.match, places)))
        last = max(i for i, hit in enumerate(decision.matched) if hit and not self._ordered[i][0])
        return self._rules[last]

    def prunes(self, directory: str, decision: Decision | None = None) -> bool:
        """Whether they leave out `directory` and all that can be below it, exceptions included."""
        if not (decision or self.decision(directory)).ignored:
            return False
        parts = directory.split("/")
        return not any(_may_be_below(exception, parts) for exception in self._exceptions)

    def reaches_below(self, directory: str) -> bool:
        """Whether something below `directory` may match a pattern that is no exception; yes in doubt."""
        parts = directory.split("/")
        return any(_may_be_below(p.split("/"), parts) for p in self._patterns if not p.startswith("!"))

    def decision(self, path: str) -> Decision:
        """What a walk from the top decides about `path`."""
        if not self._patterns:
            return NOTHING_ABOVE
        directory = path.rpartition("/")[0]
        known, above = self._last  # one read: other threads may ask too
        if directory != known:
            above = NOTHING_ABOVE
            for place in _places(directory) if directory else ():
                above = self.decide(place, above)
            self._last = directory, above
        return self.decide(path, above)


_IGNORED = Decision(ignored=True)


def _places(path: str) -> list[str]:
    """`path` and the directories above it, from the top."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


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


def _alone(pattern: str, line: int) -> re.Pattern[str]:
    try:
        return _compiled([pattern])
    except ValueError as error:
        raise ValueError(f"line {line}: {error}" if line else str(error)) from error


def _compiled(patterns: list[str]) -> re.Pattern[str]:
    expressions = [_expression(pattern) for pattern in patterns]
    return re.compile(f"(?:{'|'.join(expressions)})\\Z", re.DOTALL)


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
            elif parts[-1:] != [_DIRECTORIES]:
                parts.append(_DIRECTORIES)
        elif character == "*":
            parts.append(STAR)
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            end = _end_of_class(pattern, position)
            parts.append(f"[{_SPECIAL_IN_CLASS.sub(_escaped, pattern[position:end])}]")
            position = end + 1
        elif character == "\\":
            if position >= length:
                raise ValueError(f"`{pattern}` ends with a backslash that escapes nothing")
            parts.append(re.escape(pattern[position]))
            position += 1
        else:
            parts.append(re.escape(character))
    expression = joined(parts)
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"`{pattern}` is no pattern: {error}") from error
    return expression


STAR, _DIRECTORIES = "[^/]*", "(?:.*/)?"


def joined(parts: Sequence[str]) -> str:
    """The parts of an expression as one that hostile names cannot make slow: what one `*` took, the next does not give back.

    The leftmost place for what stands between two of them is as good as any other (as in Python's `fnmatch`), unless that
    may be a slash.
    """
    result: list[str] = []
    for part in parts:
        if part == STAR and STAR in result:
            last = len(result) - 1 - result[::-1].index(STAR)
            between = result[last + 1 :]
            if not any(one in (_DIRECTORIES, ".*") or one.startswith("[^") for one in between):
                result[last:] = [f"(?>[^/]*?{''.join(between)})"]
        result.append(part)
    return "".join(result)


_SPECIAL_IN_CLASS = re.compile(r"\\.|[\[&~|]", re.DOTALL)


def _escaped(found: re.Match[str]) -> str:
    """`[` and `&&` mean nothing in Go's classes, and would in those of Python."""
    return found[0] if len(found[0]) == 2 else f"\\{found[0]}"


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
