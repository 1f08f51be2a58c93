"""`inotify(7)`: what changes in a directory, as a descriptor to poll."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from composer.kernel import libc

IN_MODIFY = 0x00000002
IN_ATTRIB = 0x00000004
IN_CLOSE_WRITE = 0x00000008
IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_Q_OVERFLOW = 0x00004000
IN_IGNORED = 0x00008000
IN_ONLYDIR = 0x01000000
IN_DONT_FOLLOW = 0x02000000
IN_EXCL_UNLINK = 0x04000000
IN_ISDIR = 0x40000000

_EVENT = struct.Struct("iIII")


@dataclass(frozen=True, slots=True)
class Event:
    """One change: `watch` is what `add` returned, `name` the entry in a watched directory."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One inotify instance; poll `fileno()`, then `read()`."""

    def __init__(self) -> None:
        self._fd = libc.call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._fd

    def add(self, path: Path | str, mask: int) -> int:
        """The number of a watch on `path`; the same one again for the same file."""
        return libc.call("inotify_add_watch", self._fd, str(path), mask, about=str(path))

    def remove(self, watch: int) -> None:
        """End a watch. Raises OSError (EINVAL) for one that ended by itself."""
        libc.call("inotify_rm_watch", self._fd, watch)

    def read(self) -> Iterator[Event]:
        """Everything that waits, without blocking."""
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return
            position = 0
            while position < len(data):
                watch, mask, _cookie, length = _EVENT.unpack_from(data, position)
                position += _EVENT.size
                name = data[position : position + length].rstrip(b"\0")
                position += length
                yield Event(watch, mask, os.fsdecode(name))

    def close(self) -> None:
        os.close(self._fd)
