"""The text of a Dockerfile, and places in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from composer.build.dockerfile.problems import Problems
from composer.errors import Location

MAX_SIZE = 4 << 20
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The lines a statement takes, both counted from 1 and included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name and its lines, with their line ends."""

    filename: str
    lines: tuple[str, ...]

    def location(self, line: int, column: int = 1, length: int = 1) -> Location:
        """The place in the file; `column` counts from 1."""
        text = self.lines[line - 1].rstrip("\r\n") if 0 < line <= len(self.lines) else ""
        return Location(self.filename, max(line, 1), column, max(length, 1), text)

    def excerpt(self, span: Span) -> tuple[str, ...]:
        """The lines of a span, without line ends: what an error shows of a failing step."""
        return tuple(line.rstrip("\r\n") for line in self.lines[span.first - 1 : span.last])


def source_of(text: str | bytes, filename: str, problems: Problems) -> Source:
    """The lines of a file; bytes that are no text, and more of it than anybody writes, go to `problems`."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_SIZE:
        message = f"the file has more than {MAX_SIZE >> 20} MiB"
        problems.add(message, Location(filename, 1, 1))
        text = text[:0]
    source = Source(filename, tuple(_LINE.findall(text)))
    for number, line in enumerate(source.lines, 1):
        if (found := _NO_TEXT.search(line)) and not line.lstrip().startswith("#"):
            what = "a NUL character" if found[0] == "\0" else "bytes that are no UTF-8"
            problems.add(f"the line holds {what}", source.location(number, found.start() + 1))
    return source
