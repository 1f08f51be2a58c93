"""The `.gitignore` files of a work tree, as `gitignore(5)` defines them.

A pattern is relative to the directory of its file; the last that matches decides, deeper files after those above them; what
is below an ignored directory stays ignored, whatever is said of it. Files outside of a work tree are never ignored.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    negated: bool
    only_directories: bool


class GitIgnores:
    """Answers for absolute paths; reads each `.gitignore` once. Make a new one when a `.gitignore` has changed."""

    def __init__(self, start: str) -> None:
        """For the work tree that holds `start`, if any."""
        self._top = work_tree(start)
        self._files: dict[str, tuple[_Pattern, ...]] = {}
        self._stamps: dict[str, _Stamp] = {}
        """What each of the files was when it was read."""
        self._directories: dict[str, bool] = {}

    def matches(self, path: str, *, directory: bool) -> bool:
        """Whether git would not see an untracked `path`."""
        if not self._top or not path.startswith(self._top + "/"):
            return False
        parent = posixpath.dirname(path)
        if parent != self._top and self._directory(parent):
            return True
        return self._decide(path, directory=directory)

    def __eq__(self, other: object) -> bool:
        """Whether both are about one work tree; what they have read is not compared."""
        return isinstance(other, GitIgnores) and self._top == other._top

    def __hash__(self) -> int:
        return hash(self._top)

    def files_above(self, path: str) -> list[str]:
        """The `.gitignore` files, there or not, that concern `path` and are not below it."""
        places = []
        while self._top and (path == self._top or path.startswith(f"{self._top}/")):
            path = posixpath.dirname(path)
            if path.startswith(self._top):
                places.append(f"{path}/.gitignore")
        return places

    def is_outdated(self) -> bool:
        """Whether one of the files is another now than it was when it was read."""
        return any(_stamp(place) != stamp for place, stamp in list(self._stamps.items()))

    def _directory(self, path: str) -> bool:
        known = self._directories.get(path)
        if known is None:
            known = self._directories[path] = self.matches(path, directory=True)
        return known

    def _decide(self, path: str, *, directory: bool) -> bool:
        """The word of the last pattern, from the deepest file upwards."""
        place = posixpath.dirname(path)
        while True:
            relative = path[len(place) + 1 :]
            for pattern in reversed(self._patterns(place)):
                if (directory or not pattern.only_directories) and pattern.expression.fullmatch(relative):
                    return not pattern.negated
            if place == self._top:
                return False
            place = posixpath.dirname(place)

    def _patterns(self, directory: str) -> tuple[_Pattern, ...]:
        found = self._files.get(directory)
        if found is None:
            path = Path(directory, ".gitignore")
            stamp = self._stamps[str(path)] = _stamp(path)  # before reading: what changes meanwhile is found out
            try:
                text = path.read_text("utf-8", "surrogateescape") if stamp is not None else ""
            except OSError:
                text = ""
            found = self._files[directory] = tuple(p for line in text.splitlines() if (p := parse(line)))
        return found


_Stamp = tuple[int, int, int, int] | None


def _stamp(path: str | Path) -> _Stamp:
    """What differs when a file does; None where there is none, but a directory or a FIFO, say, that nobody ever writes to."""
    try:
        status = os.stat(path)  # noqa: PTH116 - many of them
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def parse(line: str) -> _Pattern | None:
    """The pattern on a line, None for a comment, an empty line or one that no path can match."""
    text = line.rstrip("\r")
    while text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1]
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text[1:] if negated else text
    only_directories = text.endswith("/")
    text = text.rstrip("/") if only_directories else text
    anchored = "/" in text
    try:
        expression = _expression(text.lstrip("/") if text.startswith("/") else text)
        if not anchored:
            expression = f"(?:.*/)?{expression}"
        return _Pattern(re.compile(expression, re.DOTALL), negated, only_directories)
    except re.error:
        return None  # as git: a pattern that is malformed matches nothing


def _expression(pattern: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        at_start = position == 0 or pattern[position - 1] == "/"
        if at_start and rest.startswith("**/"):
            parts.append("(?:.*/)?")
            position += 3
        elif at_start and rest == "**":
            parts.append(".+")
            position += 2
        elif rest[0] == "*":
            parts.append("[^/]*")
            position += 1
        elif rest[0] == "?":
            parts.append("[^/]")
            position += 1
        elif rest[0] == "[" and (closing := _end_of_class(rest)) > 0:
            inner = rest[1:closing]
            parts.append(f"(?!/)[{'^' + inner[1:] if inner[0] in '!^' else inner}]")
            position += closing + 1
        elif rest[0] == "\\" and len(rest) > 1:
            parts.append(re.escape(rest[1]))
            position += 2
        else:
            parts.append(re.escape(rest[0]))
            position += 1
    return "".join(parts)


def _end_of_class(text: str) -> int:
    """Where the class that `text` begins with ends; -1 if it does not."""
    first = 2 if text[1:2] in ("!", "^") else 1
    return text.find("]", first + 1)


def work_tree(start: str) -> str:
    """The directory above (or at) `start` that has a `.git`, "" for none."""
    place = start
    while place != "/":
        if posixpath.lexists(posixpath.join(place, ".git")):
            return place
        place = posixpath.dirname(place)
    return ""
