"""One object of a tree to copy from: what it is, without where the tree lies."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

Attributes = tuple[tuple[str, bytes], ...]


@dataclass(slots=True, eq=False)
class Entry:
    """A file, directory or link. Directories are filled when they are first looked into, contents hashed when selected."""

    mode: int
    """As `st_mode`: kind and permissions."""
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    """Nanoseconds; no part of any digest."""
    status: os.stat_result | None = None
    """What the file was when it was looked at; None for content that is nowhere on a disk."""
    layers: tuple[int, ...] = (0,)
    """Which of the tree's directories it is in, topmost first; only directories may be in several."""
    link: str = ""
    content: bytes = b""
    """SHA-256 of a regular file; empty until it was asked for."""
    attributes: Attributes = ()
    """Extended attributes that belong to an image, known with `content`."""
    children: dict[str, Entry] | None = None
    """By name; None for what is no directory, and for a directory that nobody has looked into yet."""
    whole: bool = False
    """Whether everything below it has been looked at."""
    data: bytes | None = None
    """The content itself where it is nowhere on a disk."""
    problem: int = 0
    """The errno that looking into it gave."""
    implied: bool = False
    """A directory that was not selected itself, only something in it."""

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_socket(self) -> bool:
        return stat.S_ISSOCK(self.mode)

    @property
    def inode(self) -> tuple[int, int] | None:
        """What other names of the same file share; None for a file with one name."""
        if self.status is None or self.status.st_nlink < 2 or not self.is_file:
            return None
        return self.status.st_dev, self.status.st_ino


def walk(entry: Entry) -> list[tuple[str, Entry]]:
    """`entry` as "" and everything below it that has been looked at: directories before what is in them, by name."""
    found: list[tuple[str, Entry]] = []
    pending = [("", entry)]
    while pending:
        path, here = pending.pop()
        found.append((path, here))
        if here.children:
            prefix = f"{path}/" if path else ""
            pending += [(prefix + name, here.children[name]) for name in sorted(here.children, reverse=True)]
    return found
