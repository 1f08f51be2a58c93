"""Where each thing in the merged project was written, for causes and for messages that come later."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any

from composer.errors import Location
from composer.project.document import Node, Path, Text, walk

Place = tuple[int, int, int, int]
"""File (by number), line, column, length."""


class Origins:
    """Places by path: `("services", "web", "image")`, `("services", "web", "environment", "KEY")`, list entries by index."""

    def __init__(self, files: tuple[str, ...], places: Dict[Path, Place], lines: Dict[str, tuple[str, ...]]) -> None:
        self._files = files
        self._places = dict(places)
        self._lines = dict(lines)

    @classmethod
    def of(cls, tree: Node) -> Origins:
        """The places of everything in a merged canonical tree."""
        texts: dict[Text, int] = {}
        places: dict[Path, Place] = {}
        for path, mark in walk(tree):
            number = texts.setdefault(mark.text, len(texts))
            places[path] = (number, mark.line, mark.column, mark.length)
        return cls(tuple(text.name for text in texts), places, {text.name: text.lines for text in texts})

    def at(self, path: Path) -> Location | None:
        """Where `path` was written; `None` for what the loader added by itself."""
        place = self._places.get(path)
        if place is None:
            return None
        number, line, column, length = place
        name = self._files[number]
        lines = self._lines.get(name, ())
        source = lines[line - 1] if line <= len(lines) else ""
        return Location(name, line, column, length, source)

    def near(self, path: Path) -> Location | None:
        """Where `path`, or else the closest thing around it, was written."""
        while path:
            if place := self.at(path):
                return place
            path = path[:-1]
        return None

    def to_wire(self) -> dict[str, Any]:
        """JSON-able and compact, without the source lines: they may hold secrets, and the reader has the files.

        Each place is `[steps shared with the path before, the other steps, file, line, column, length]`.
        """
        places: list[list[Any]] = []
        previous: Path = ()
        for path, place in self._places.items():
            shared = next((i for i, (a, b) in enumerate(zip(path, previous, strict=False)) if a != b), None)
            shared = min(len(path), len(previous)) if shared is None else shared
            places.append([shared, list(path[shared:]), *place])
            previous = path
        return {"files": list(self._files), "places": places}

    @classmethod
    def from_wire(cls, data: Dict[str, Any]) -> Origins:
        """What `to_wire` wrote; locations come back without their source line."""
        places: dict[Path, Place] = {}
        path: Path = ()
        for shared, rest, file, line, column, length in data["places"]:
            path = (*path[:shared], *rest)
            places[path] = (file, line, column, length)
        return cls(tuple(data["files"]), places, {})
