"""Which snapshot each step made, by the step's key: SQLite under the data directory.

A record is written when the snapshot is in its place and says on which chain it lies. What it names may be gone by then:
whoever looks up checks that the snapshot is there, and that the chain below is the one at hand. An alias leads from a key
that is quick to find to the one by content. A damaged file, or one of another version, is a cache that is empty.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from composer.cachefile import open_cache

VERSION = 3
TAKEN = "taken"
"""How the aliases begin that say which caches from elsewhere have been taken over; they lead to what was there."""

_TABLES = {
    "records": "key TEXT PRIMARY KEY, chain TEXT, diff_id TEXT, below TEXT, size INTEGER, created INTEGER, used REAL, "
    "name TEXT, seconds REAL",
    "aliases": "quick TEXT PRIMARY KEY, key TEXT",
    "places": "place TEXT PRIMARY KEY, making BLOB",
}


@dataclass(frozen=True, slots=True)
class Record:
    """What one step made; the fields are the table's columns."""

    key: str
    chain: str
    """ChainID of the root file system after the step; that before it where the step changed nothing."""
    diff_id: str
    """"" where the step changed nothing."""
    below: str
    """ChainID of what the step worked on; "" for nothing."""
    size: int
    """Bytes of the uncompressed layer."""
    created: int
    """When, in nanoseconds since the epoch."""
    used: float
    """When it was last of use, in seconds since the epoch."""
    name: str
    """For people."""
    seconds: float
    """How long the step took."""


class Cache:
    """The records; every change is on the disk when the call returns, as far as the death of this process goes."""

    def __init__(self, path: Path) -> None:
        """`path` is the database, made if missing."""
        self._connection = open_cache(path, VERSION, _TABLES, autocommit=True)

    def close(self) -> None:
        """Idempotent."""
        self._connection.close()

    def get(self, key: str) -> Record | None:
        """What the step with this key made last."""
        row = self._connection.execute("SELECT * FROM records WHERE key = ?", (key,)).fetchone()
        return Record(*row) if row else None

    def put(self, record: Record) -> None:
        """Keep a record, in place of what had the key. A disk that does not take it only makes the next build slower."""
        with suppress(sqlite3.OperationalError):
            self._connection.execute(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(record)
            )

    def use(self, records: Iterable[Record], now: float) -> None:
        """Say that these are of use now."""
        stale = [(now, record.key) for record in records if now - record.used > _PRECISE]
        if stale:
            with suppress(sqlite3.OperationalError):
                self._connection.executemany("UPDATE records SET used = ? WHERE key = ?", stale)

    def alias(self, quick: str) -> str:
        """The key that stands behind `quick`, "" if none is known."""
        row = self._connection.execute("SELECT key FROM aliases WHERE quick = ?", (quick,)).fetchone()
        return str(row[0]) if row else ""

    def put_alias(self, quick: str, key: str) -> None:
        """From now on `quick` leads to `key`."""
        with suppress(sqlite3.OperationalError):
            self._connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (quick, key))

    def making(self, place: str) -> bytes | None:
        """What the step at this place of a Dockerfile was made of last."""
        row = self._connection.execute("SELECT making FROM places WHERE place = ?", (place,)).fetchone()
        return bytes(row[0]) if row else None

    def put_making(self, place: str, making: bytes) -> None:
        """Remember what the step at this place was made of."""
        with suppress(sqlite3.OperationalError):
            self._connection.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (place, making))

    def all(self) -> Iterator[Record]:
        """Every record, least lately used first."""
        for row in self._connection.execute("SELECT * FROM records ORDER BY used").fetchall():
            yield Record(*row)

    def remove(self, keys: Iterable[str]) -> None:
        """Forget these, and what leads to them."""
        gone = [(key,) for key in keys]
        self._connection.executemany("DELETE FROM records WHERE key = ?", gone)
        self._connection.executemany("DELETE FROM aliases WHERE key = ?", gone)
        if gone:
            # What was taken from elsewhere may be among them: those places are worth another look.
            self._connection.execute("DELETE FROM aliases WHERE quick GLOB ?", (f"{TAKEN} *",))


_PRECISE = 60.0
"""Seconds by which `used` may lag, so that a build that is cached writes nothing."""
