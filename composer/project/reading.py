"""The reading of files, and a record of which were read or looked for: who watches a project watches all that it is made from.

What a file of the project names may be hostile: only regular files are read (and /dev/null, an empty one), no further than a
bound, so that a FIFO makes nobody wait and a device nobody run out of memory. What the user names on the command line may be
a pipe as well, as `<(command)` is.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_files: ContextVar[list[Path] | None] = ContextVar("files", default=None)


MAX_BYTES = 4 << 20
"""No file that people write by hand is larger."""


class UnusableFileError(OSError):
    """There is something at the path, but no file to read."""


def read_file(path: Path, *, named_by_user: bool = False) -> bytes:
    """The content of `path`, which goes on record even where it is missing. Raises OSError."""
    if (files := _files.get()) is not None:
        files.append(path.absolute())
    # Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if named_by_user else os.O_NONBLOCK))
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - a descriptor, no path
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode) and not named_by_user and str(path) != os.devnull:
            raise UnusableFileError(errno.EINVAL, "it is no regular file", str(path))
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UnusableFileError(errno.EFBIG, f"it is larger than {MAX_BYTES >> 20} MiB", str(path))
    return content


def is_there(path: Path) -> bool:
    """Whether there is a file at `path`, which goes on record either way: what is made of the project follows from that."""
    if (files := _files.get()) is not None:
        files.append(path.absolute())
    return path.is_file()


def reason_of(error: OSError) -> str:
    """Why a file could not be read, as part of a sentence."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a directory"
    words = error.strerror or "it cannot be read"
    return words[:1].lower() + words[1:]


@contextmanager
def recorded() -> Iterator[list[Path]]:
    """A list that every file is added to that is read or looked for meanwhile."""
    files: list[Path] = []
    token = _files.set(files)
    try:
        yield files
    finally:
        _files.reset(token)
