"""Lines to statements: comments dropped, continued lines joined, heredocs taken in.

A joined text remembers where its pieces stood, so that a caret can point into the line a user wrote.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from composer.build.dockerfile.flags import Flag, split_flags
from composer.build.dockerfile.heredoc import announced
from composer.build.dockerfile.instructions import Heredoc
from composer.build.dockerfile.problems import Problems
from composer.build.dockerfile.source import Source, Span
from composer.build.dockerfile.spaces import SPACES
from composer.build.dockerfile.words import json_strings
from composer.errors import Location

_TAKE_HEREDOCS = {"ADD", "COPY", "RUN"}
_KEYWORD = re.compile(r"([^\t\v\f\r ]+)[\t\v\f\r ]*")
_CONTINUED = {escape: re.compile(rf"(?:(?<!{re.escape(escape)})|^){re.escape(escape)}[ \t]*$") for escape in "\\`"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One instruction as text: `text[arguments:]` is what follows keyword and flags."""

    source: Source
    text: str
    pieces: tuple[tuple[int, int, int], ...]
    """(offset in the text, line, column) of each joined line."""
    span: Span
    keyword: str
    start: int
    """Where the keyword begins."""
    flags: tuple[Flag, ...]
    arguments: int
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()
    has_empty_line: bool = False

    @property
    def joined_end(self) -> int:
        """The line on which it ends, heredocs aside."""
        return self.pieces[-1][1]

    @property
    def name(self) -> str:
        """The keyword in capitals."""
        return self.keyword.upper()

    @property
    def rest(self) -> str:
        """The arguments, without surrounding space."""
        return self.text[self.arguments :].strip(SPACES)

    def place(self, start: int, end: int) -> Location:
        """The place in the file of `text[start:end]`, as far as it is on one line."""
        index = max(bisect_right(self.pieces, start, key=lambda piece: piece[0]) - 1, 0)
        offset, line, column = self.pieces[index]
        until = self.pieces[index + 1][0] if index + 1 < len(self.pieces) else len(self.text)
        return self.source.location(line, column + start - offset, max(min(end, until) - start, 1))

    @property
    def keyword_place(self) -> Location:
        """Where the keyword stands."""
        return self.place(self.start, self.start + len(self.keyword))

    def inner(self) -> Statement:
        """The statement that an ONBUILD holds."""
        return replace(_split(self), comments=())


def _split(outer: Statement) -> Statement:
    """The statement that begins at `outer.arguments`."""
    text, start = outer.text, outer.arguments
    while text[start : start + 1] and text[start] in SPACES:
        start += 1
    bare = text.rstrip(SPACES)
    match = _KEYWORD.match(bare, start)
    flags, arguments = split_flags(bare, match.end() if match else start)
    return replace(outer, keyword=match[1] if match else "", start=start, flags=flags, arguments=arguments)


def statements(source: Source, first: int, escape: str, problems: Problems) -> Iterator[Statement]:
    """The statements from line `first` (counted from 0) on, in order; what is wrong goes to `problems`."""
    lines = source.lines
    comments: tuple[str, ...] = ()
    at = first
    while at < len(lines):
        start = at
        stripped = lines[at].strip(SPACES)
        if stripped.startswith("#"):
            comment = stripped[1:].strip(SPACES)
            comments = (*comments, comment) if comment else ()
        if not stripped or stripped.startswith("#"):
            comments = comments if stripped else ()
            at += 1
            continue
        text, pieces, at, has_empty_line = _joined(lines, at, _CONTINUED[escape])
        outer = Statement(source, text, pieces, Span(start + 1, at), "", 0, (), 0)
        statement = replace(_split(outer), comments=comments, has_empty_line=has_empty_line)
        comments = ()
        if not statement.keyword:
            problems.add("a continuation line with nothing to continue", source.location(start + 1))
            continue
        heredocs, at = _heredocs(statement, at, problems)
        yield replace(statement, heredocs=heredocs, span=Span(start + 1, at))


def _joined(
    lines: tuple[str, ...], at: int, continued: re.Pattern[str]
) -> tuple[str, tuple[tuple[int, int, int], ...], int, bool]:
    """The text that begins on line `at`, its pieces, the line behind it, and whether an empty line stood within."""
    pieces: list[tuple[int, int, int]] = []
    texts: list[str] = []
    length, has_empty_line = 0, False
    while at < len(lines):
        line = lines[at].rstrip("\r\n")
        bare = line.lstrip(SPACES)
        at += 1
        if pieces and (not bare or bare.startswith("#")):
            has_empty_line = has_empty_line or not bare
            continue
        text = line if pieces else bare
        more = continued.search(text)
        pieces.append((length, at, len(line) - len(text) + 1))
        texts.append(text[: more.start()] if more else text)
        length += len(texts[-1])
        if not more:
            break
    return "".join(texts), tuple(pieces), at, has_empty_line


def _heredocs(statement: Statement, at: int, problems: Problems) -> tuple[tuple[Heredoc, ...], int]:
    """The heredocs of a statement with their contents, and the line behind them."""
    if not _may_have_heredocs(statement):
        return (), at
    lines = statement.source.lines
    found: list[Heredoc] = []
    try:
        for heredoc in announced(statement.text):
            end = _end_of(heredoc, lines, at)
            if end is None:
                where = statement.text.find("<<")
                place = statement.place(where, len(statement.text))
                hint = f"end it with a line that says `{heredoc.name}` and nothing else"
                problems.add(f"the heredoc `{heredoc.name}` does not end", place, hint=hint)
                return tuple(found), len(lines)
            found.append(replace(heredoc, content="".join(lines[at:end])))
            at = end + 1
    except ValueError as error:
        problems.add(
            f"cannot read the heredoc: {error}", statement.place(statement.text.find("<<"), len(statement.text))
        )
    return tuple(found), at


def _may_have_heredocs(statement: Statement) -> bool:
    if "<<" not in statement.text:
        return False
    inner = statement.inner() if statement.name == "ONBUILD" else statement
    try:
        return inner.name in _TAKE_HEREDOCS and json_strings(inner.rest) is None
    except ValueError:
        return False


def _end_of(heredoc: Heredoc, lines: tuple[str, ...], at: int) -> int | None:
    for index in range(at, len(lines)):
        line = lines[index].rstrip("\r\n")
        if (line.lstrip("\t") if heredoc.strip_tabs else line) == heredoc.name:
            return index
    return None
