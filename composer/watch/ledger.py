"""What each container was given, on disk, so that deletes are known and unchanged files are not read again.

A path is marked as in doubt before it is written or removed, and entered when that is done: after a crash in between it is
looked at in the container itself. Rows are by owner: a container's id, or the name of a rule, for what it has dealt with. The
file is a cache: without it everything is compared by hash once, and deletes from before are missed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from composer.cachefile import open_cache
from composer.errors import StateError
from composer.watch.tree import DOUBT, Entry

_VERSION = 1
_TABLES = {
    "entries": "owner TEXT, target BLOB, kind TEXT, mode INTEGER, digest BLOB, stamp INTEGER, PRIMARY KEY (owner, target)"
}


class Ledger:
    """A table of entries by (owner, target); may be used from any thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; one that is damaged is begun anew."""
        self._lock = threading.Lock()
        self._connection = open_cache(path, _VERSION, _TABLES)

    def entries(self, owner: str) -> dict[str, Entry]:
        """Everything that `owner` has; what is in doubt with an entry that is the same as no other."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT target, kind, mode, digest, stamp FROM entries WHERE owner = ? ORDER BY target", (owner,)
            )
            return {os.fsdecode(target): Entry(*entry) for target, *entry in rows}

    def of(self, owner: str, targets: Iterable[str]) -> dict[str, Entry]:
        """The entries of `targets`."""
        found = {}
        with self._lock:
            for target in targets:
                row = self._connection.execute(
                    "SELECT kind, mode, digest, stamp FROM entries WHERE owner = ? AND target = ?",
                    (owner, os.fsencode(target)),
                ).fetchone()
                if row is not None:
                    found[target] = Entry(*row)
        return found

    def doubt(self, owner: str, targets: Iterable[str]) -> None:
        """Note that `targets` are about to change."""
        rows = ((owner, os.fsencode(target), DOUBT, 0, b"", 0) for target in targets)
        self._write("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)

    def enter(self, owner: str, entries: Mapping[str, Entry | None]) -> None:
        """Note what is there now; None and all below it is gone."""
        kept = (
            (owner, os.fsencode(target), entry.kind, entry.mode, entry.digest, entry.stamp)
            for target, entry in entries.items()
            if entry is not None
        )
        gone = [os.fsencode(target) for target, entry in entries.items() if entry is None]
        if gone:
            self._write(
                "DELETE FROM entries WHERE owner = ? AND (target = ? OR (target > ? AND target < ?))",
                ((owner, target, target + b"/", target + b"0") for target in gone),
            )
        self._write("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)", kept)

    def forget(self, owner: str) -> None:
        """Drop everything of `owner`."""
        self._write("DELETE FROM entries WHERE owner = ?", [(owner,)])

    def owners(self) -> list[str]:
        """Who has entries."""
        with self._lock:
            return [row[0] for row in self._connection.execute("SELECT DISTINCT owner FROM entries")]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        try:
            with self._lock, self._connection:
                self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            raise StateError(
                f"cannot note which files containers have: {error}",
                hint="see whether the disk of the data directory is full",
            ) from error
