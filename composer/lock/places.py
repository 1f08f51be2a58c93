"""Where in a lock's text something stands: tomllib reads values without their lines.

Only the form that `writing` uses is understood, a header or a key a line; of anything else the nearest header is named.
"""

from __future__ import annotations

import tomllib
from functools import cached_property
from typing import Any

from composer.errors import Location

Path = tuple[str, ...]


class Places:
    """The places of one text; looked for when the first is asked for."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.splitlines()
        self._name = name

    def at(self, path: Path) -> Location:
        """Where `path`, or else the closest thing around it, stands; the file's first line if nothing does."""
        while path:
            if (number := self._numbers.get(path)) is not None:
                line = self._lines[number]
                return Location(self._name, number + 1, 1, max(len(line), 1), line)
            path = path[:-1]
        return Location(self._name, 1, 1, 1, self._lines[0] if self._lines else "")

    @cached_property
    def _numbers(self) -> dict[Path, int]:
        numbers: dict[Path, int] = {}
        table: Path = ()
        for number, line in enumerate(self._lines):
            path = _path(line)
            if line.startswith("["):
                table = path
                for length in range(1, len(path) + 1):
                    numbers.setdefault(path[:length], number)
            elif path:
                numbers.setdefault((*table, *path), number)
        return numbers


def _path(line: str) -> Path:
    """The keys that a line alone leads through; none where it does not stand for itself."""
    try:
        inner: Any = tomllib.loads(line)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return ()
    path: list[str] = []
    while isinstance(inner, dict) and len(inner) == 1 and (line.startswith("[") or not path):
        key, inner = next(iter(inner.items()))
        path.append(key)
    return tuple(path)
