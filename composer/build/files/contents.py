"""Digests of file contents that are known already, kept on disk: an unchanged file costs its `stat(2)` and nothing else.

A digest belongs to (device, inode, size, mtime, ctime, mode). Any change of content or attributes changes `ctime`, which
nobody can set; only within one tick of the clock it may change twice and look the same. So a file whose `ctime` lies less
than a moment before it was looked at is hashed, and not remembered ("racily clean", as git calls it). The moment is 2
seconds where the file system counts in coarse steps.

Records stand in SQLite by tree, a context's directory for instance, and are read at once when the tree is first looked at.
They are a cache: a database that is damaged or of another version is made anew.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from composer.build.files.entry import Attributes
from composer.cachefile import open_cache

Key = tuple[int, int]
Stamp = tuple[int, int, int, int]
Known = tuple[Stamp, bytes, Attributes]

_VERSION = 1
_TABLES = {
    "trees": "tree BLOB PRIMARY KEY, used INTEGER",
    "files": "tree BLOB, device INTEGER, inode INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER, mode INTEGER, "
    "content BLOB, attributes BLOB, PRIMARY KEY (tree, device, inode)",
}
_LARGEST = 2**63
"""SQLite's integers end here; such inodes are not remembered."""
_FINE, _COARSE = 50_000_000, 2_000_000_000
_KEEP_SECONDS = 60 * 86_400


def key_of(status: os.stat_result) -> Key:
    """Which file it is."""
    return status.st_dev, status.st_ino


def stamp_of(status: os.stat_result) -> Stamp:
    """What is different once the file is."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode


def settled(status: os.stat_result, looked_at: int) -> bool:
    """Whether a change after `looked_at` (nanoseconds, before the status was taken) would show in the file's times."""
    coarse = status.st_ctime_ns % 1_000_000 == 0
    return status.st_ctime_ns < looked_at - (_COARSE if coarse else _FINE)


def now() -> int:
    """The clock that the kernel stamps files with, in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


class ContentCache:
    """What is known, by tree; safe to be used by several threads. `close` it when done."""

    def __init__(self, path: Path) -> None:
        """`path` is the database, made if missing."""
        self._lock = threading.Lock()
        self._trees: dict[str, dict[Key, Known]] = {}
        self._connection = open_cache(path, _VERSION, _TABLES, synchronous="OFF")

    def close(self) -> None:
        """Idempotent."""
        self._connection.close()

    def of(self, tree: str) -> dict[Key, Known]:
        """What is known of a tree; the caller's to read, not to change."""
        with self._lock:
            known = self._trees.get(tree)
            if known is None:
                known = self._trees[tree] = self._read(tree)
                self._note(tree, "UPDATE trees SET used = ?2 WHERE tree = ?1")
            return known

    def remember(self, tree: str, found: Iterable[tuple[Key, Known]]) -> None:
        """Keep new digests. A disk that does not take them is no failure: they are found again."""
        new = dict(found)
        if not new:
            return
        with self._lock:
            self._trees.setdefault(tree, {}).update(new)
            rows = [
                (os.fsencode(tree), device, inode, *stamp, content, _packed(attributes))
                for (device, inode), (stamp, content, attributes) in new.items()
                if inode < _LARGEST and device < _LARGEST
            ]
            with contextlib.suppress(sqlite3.Error), self._connection:
                self._connection.execute(
                    "INSERT OR REPLACE INTO trees VALUES (?, ?)", (os.fsencode(tree), int(time.time()))
                )
                self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def forget(self, unused_since: float | None = None) -> None:
        """Drop trees that are gone, or that no process used since `unused_since` (seconds since the epoch; 60 days ago)."""
        oldest = unused_since if unused_since is not None else time.time() - _KEEP_SECONDS
        with self._lock, contextlib.suppress(sqlite3.Error), self._connection:
            for tree, used in self._connection.execute("SELECT tree, used FROM trees").fetchall():
                if used < oldest or not Path(os.fsdecode(tree)).is_dir():
                    self._trees.pop(os.fsdecode(tree), None)
                    self._connection.execute("DELETE FROM files WHERE tree = ?", (tree,))
                    self._connection.execute("DELETE FROM trees WHERE tree = ?", (tree,))

    def _note(self, tree: str, statement: str) -> None:
        """That a tree is of use now."""
        with contextlib.suppress(sqlite3.Error), self._connection:
            self._connection.execute(statement, (os.fsencode(tree), int(time.time())))

    def _read(self, tree: str) -> dict[Key, Known]:
        query = "SELECT device, inode, size, mtime, ctime, mode, content, attributes FROM files WHERE tree = ?"
        try:
            rows = self._connection.execute(query, (os.fsencode(tree),)).fetchall()
        except sqlite3.Error:
            return {}
        return {
            (device, inode): ((size, mtime, ctime, mode), content, _unpacked(attributes))
            for device, inode, size, mtime, ctime, mode, content, attributes in rows
        }


def _packed(attributes: Attributes) -> bytes | None:
    """Attributes as one value: names hold no NUL, and lengths stand before values."""
    if not attributes:
        return None
    return b"".join(os.fsencode(name) + b"\0%d\0" % len(value) + value for name, value in attributes)


def _unpacked(packed: bytes | None) -> Attributes:
    found: list[tuple[str, bytes]] = []
    rest = packed or b""
    while rest:
        name, length, rest = rest.split(b"\0", 2)
        found.append((os.fsdecode(name), rest[: int(length)]))
        rest = rest[int(length) :]
    return tuple(found)
