"""The reading of files, and a record of which were read: whoever watches a project watches all that it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_files: ContextVar[list[Path] | None] = ContextVar("files", default=None)


def read_file(path: Path) -> bytes:
    """The content of `path`, which goes on record even where it is missing. Raises OSError."""
    if (files := _files.get()) is not None:
        files.append(path.absolute())
    return path.read_bytes()


@contextmanager
def recorded() -> Iterator[list[Path]]:
    """A list that every file is added to that is read meanwhile."""
    files: list[Path] = []
    token = _files.set(files)
    try:
        yield files
    finally:
        _files.reset(token)
