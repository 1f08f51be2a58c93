"""Files in ways that Python does not know: `fallocate(2)`."""

from __future__ import annotations

from composer.kernel import libc

_KEEP_SIZE, _PUNCH_HOLE = 0x1, 0x2


def punch(fd: int, start: int, length: int) -> None:
    """Give the space of a part of the file back; it reads as zeros and the file keeps its length.

    Raises OSError: EOPNOTSUPP where the file system has no holes.
    """
    if length > 0:
        libc.call("fallocate", fd, _KEEP_SIZE | _PUNCH_HOLE, start, length)
