"""A cache file is there whatever was there before."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from composer.cachefile import open_cache

TABLES = {"words": "word TEXT PRIMARY KEY, count INTEGER"}


def fill(path: Path, version: int = 1) -> None:
    connection = open_cache(path, version, TABLES)
    with connection:
        connection.execute("INSERT INTO words VALUES ('one', 1)")
    connection.close()


def words(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    found = connection.execute("SELECT * FROM words").fetchall()
    connection.close()
    return found


def test_what_was_written_is_there_the_next_time(tmp_path: Path) -> None:
    fill(tmp_path / "below" / "cache.db")

    assert words(open_cache(tmp_path / "below/cache.db", 1, TABLES)) == [("one", 1)]


def test_another_version_begins_anew_without_the_tables_of_the_former(tmp_path: Path) -> None:
    fill(tmp_path / "cache.db")
    connection = open_cache(tmp_path / "cache.db", 2, {"things": "thing TEXT PRIMARY KEY"})

    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("things",)]
    connection.close()


@pytest.mark.parametrize("begin", [0, 100, 4096])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, begin: int) -> None:
    path = tmp_path / "cache.db"
    fill(path)
    content = path.read_bytes()
    path.write_bytes(content[:begin] + b"nonsense" * 1000)

    assert words(open_cache(path, 1, TABLES)) == []
    assert words(open_cache(path, 1, TABLES)) == []


def test_a_place_that_takes_no_file_leaves_memory() -> None:
    nowhere = Path("/proc/cache.db")  # which nobody can make

    assert words(open_cache(nowhere, 1, TABLES)) == []
