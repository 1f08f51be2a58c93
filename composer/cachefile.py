"""A SQLite file that may be lost: what is in it can be found anew, only more slowly.

So it is begun anew where it is damaged or of another version, kept in memory where the disk does not take it, and no failure
to open it is anybody's concern.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

_SECONDS = 10.0
"""How long to wait for another process that is writing."""


def open_cache(
    path: Path, version: int, tables: Mapping[str, str], *, autocommit: bool = False, synchronous: str = "NORMAL"
) -> sqlite3.Connection:
    """The cache at `path`, made if missing, for any thread; the caller keeps threads from each other, and closes it.

    `tables` are the columns and keys of each table by name. Without `autocommit` a change needs `with connection`.
    `synchronous` is SQLite's: NORMAL survives the death of the process, and OFF a power cut only by luck.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    cache = (version, tables, autocommit, synchronous)
    try:
        return _connect(path, *cache)
    except sqlite3.DatabaseError:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    try:
        return _connect(path, *cache)
    except sqlite3.OperationalError:  # a full disk: nothing is remembered then
        return _connect(Path(":memory:"), *cache)


def _connect(
    path: Path, version: int, tables: Mapping[str, str], autocommit: bool, synchronous: str
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None if autocommit else "DEFERRED", check_same_thread=False, timeout=_SECONDS
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        if connection.execute("PRAGMA user_version").fetchone()[0] != version:
            _make(connection, version, tables)
        for table in tables:
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  names of ours; damage shows now
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection, version: int, tables: Mapping[str, str]) -> None:
    old = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    statements = [f"DROP TABLE {name};" for name in old]
    statements += [f"CREATE TABLE {name} ({columns}) WITHOUT ROWID;" for name, columns in tables.items()]
    connection.executescript(f"BEGIN; {' '.join(statements)} PRAGMA user_version = {version}; COMMIT;")
