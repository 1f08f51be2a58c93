"""Directories of a tree as descriptors, entered one below the other: no name in the tree can lead out of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from composer.build.files.entry import Entry
from composer.image.merged import ENTER, Directories, is_opaque

MOST_DEPTH = 200
"""Somewhat less than a layer may have (`image.stream.Limits`): what is copied lies below the destination."""


class Walker:
    """Enters directories below `layers`; those last entered stay open, so neighbours cost nothing. For one thread."""

    def __init__(self, layers: Sequence[Path], root: Entry) -> None:
        """Raises OSError where a layer is not there."""
        self._root = root
        self._stack: list[tuple[str, Entry, Directories]] = []
        self._at = ""
        self._top: Directories = tuple([(layer, os.open(layers[layer], ENTER)) for layer in root.layers])

    def __enter__(self) -> Walker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        while self._stack:
            self._leave()
        _close(self._top)

    def enter(self, path: str) -> Directories:
        """The merged directory `path`, ours until the next call; "" is the root. Raises OSError."""
        if path == self._at:
            return self._stack[-1][2] if self._stack else self._top
        self._at = "/"  # no path, should this fail
        parts = path.split("/") if path else []
        same = 0
        for part, (name, _, _) in zip(parts, self._stack, strict=False):
            if part != name:
                break
            same += 1
        while len(self._stack) > same:
            self._leave()
        for part in parts[same:]:
            above, directories = self._stack[-1][1:] if self._stack else (self._root, self._top)
            entry = (above.children or {})[part]
            self._stack.append((part, entry, enter(directories, part, entry)))
        self._at = path
        return self._stack[-1][2] if self._stack else self._top

    def file_directory(self, path: str, layer: int) -> int:
        """The descriptor of the directory `path` in the layer that has the file. Raises OSError."""
        directories = self.enter(path)
        if len(directories) == 1:
            return directories[0][1]
        return next(descriptor for number, descriptor in directories if number == layer)

    def _leave(self) -> None:
        _close(self._stack.pop()[2])


def enter(directories: Directories, name: str, entry: Entry) -> Directories:
    """The merged directory `name`, to be closed by the caller. Raises OSError."""
    opened: list[tuple[int, int]] = []
    try:
        for layer, directory in directories:
            if layer in entry.layers:
                opened.append((layer, os.open(name, ENTER, dir_fd=directory)))
                if layer != entry.layers[-1] and is_opaque(opened[-1][1]):
                    break
    except BaseException:
        _close(tuple(opened))
        raise
    return tuple(opened)


def _close(directories: Directories) -> None:
    for _, descriptor in directories:
        os.close(descriptor)
