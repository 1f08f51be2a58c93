from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from composer.engine.records import VolumeRecord
from composer.engine.store import Store
from composer.errors import StateError


def fill_up(store: Store) -> None:
    """Allow the database not one page more than it has: what a full disk looks like from inside."""
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")


def make_room(store: Store) -> None:
    store._connection.execute("PRAGMA max_page_count = 1000000")


def test_records_survive_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.volumes.put("data", VolumeRecord("data", "shop", labels={"a": "1"}))
    engine_id = store.engine_id
    store.close()

    again = Store(tmp_path / "state.db")

    assert list(again.volumes) == [VolumeRecord("data", "shop", labels={"a": "1"})]
    assert again.engine_id == engine_id
    again.close()


def test_without_space_a_new_record_is_refused_and_a_change_is_written_later(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.volumes.put("data", VolumeRecord("data", "shop"))
    fill_up(store)
    large = VolumeRecord("data", "shop", labels={"text": "x" * 100_000})

    with pytest.raises(StateError, match="full"):
        store.volumes.put("more", VolumeRecord("more", "shop", labels=large.labels))
    store.volumes.put("data", large)

    assert store.volumes.get("more") is None
    assert store.volumes.get("data") == large
    make_room(store)
    store.volumes.put("more", VolumeRecord("more", "shop"))
    store.close()
    again = Store(tmp_path / "state.db")
    assert again.volumes.get("data") == large
    again.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.set_meta("schema", "99")
    store.close()

    with pytest.raises(StateError, match="newer composer"):
        Store(tmp_path / "state.db")


def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database" * 1000)

    with pytest.raises(StateError, match="cannot open"):
        Store(tmp_path / "state.db")

    assert (tmp_path / "state.db").read_bytes().startswith(b"not a database")


def test_the_file_is_ordinary_sqlite(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.volumes.put("data", VolumeRecord("data", "shop"))
    store.close()

    connection = sqlite3.connect(tmp_path / "state.db")
    assert connection.execute("SELECT key FROM volumes").fetchall() == [("data",)]
    connection.close()
