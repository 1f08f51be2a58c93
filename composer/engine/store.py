"""The engine's records in SQLite: one file, one writer, every change a transaction (https://sqlite.org/wal.html).

Records are JSON in one table a kind, read once at start and kept in memory: the store is the only writer. WAL with
`synchronous=NORMAL` survives the death of any process; after a power cut the kernel's own state is gone as well. On network
file systems, where WAL's shared memory does not work, SQLite keeps its rollback journal.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from composer.api.messages import WatchRequest
from composer.engine.records import BuildRecord, ContainerRecord, Lease, NetworkRecord, ProjectRecord, VolumeRecord
from composer.engine.world import Generation
from composer.errors import StateError

log = logging.getLogger("composer.engine")

SCHEMA_VERSION = 1

_Record = TypeVar("_Record")


class Table(Generic[_Record]):
    """Records of one kind by key, in memory and on disk."""

    def __init__(self, connection: sqlite3.Connection, name: str, record: type[_Record]) -> None:
        self._connection = connection
        self._name = name
        self._adapter: TypeAdapter[_Record] = TypeAdapter(record)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} (key TEXT PRIMARY KEY, record TEXT NOT NULL)")
        rows = connection.execute(f"SELECT key, record FROM {name} ORDER BY rowid")
        self._late: dict[str, str | None] = {}
        """Changes that found no space, by key."""
        self._records: dict[str, _Record] = {key: self._adapter.validate_json(record) for key, record in rows}

    def __iter__(self) -> Iterator[_Record]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def items(self) -> list[tuple[str, _Record]]:
        """All records with their keys."""
        return list(self._records.items())

    def get(self, key: str) -> _Record | None:
        """The record under `key`, or None."""
        return self._records.get(key)

    def put(self, key: str, record: _Record) -> None:
        """Write `record` through; when this returns it survives our death.

        On a full disk a new record is refused (StateError), but a change of one that is there is kept in memory and written
        as soon as there is space: a container can be stopped, and what it did be told, without any.
        """
        document = self._adapter.dump_json(record).decode()
        try:
            self._write(key, document)
        except StateError as error:
            if key not in self._records:
                raise
            self._delay(key, document, error)
        self._records[key] = record

    def remove(self, key: str) -> None:
        """Forget the record, on a full disk as soon as there is space; one that is not there is fine."""
        try:
            self._write(key, None)
        except StateError as error:
            self._delay(key, None, error)
        self._records.pop(key, None)

    def _delay(self, key: str, document: str | None, error: StateError) -> None:
        if not self._late:
            log.warning("%s; changes are kept in memory", error.message)
        self._late[key] = document

    def _write(self, key: str, document: str | None) -> None:
        """Write one change, after those that had to wait; None deletes."""
        self._late.pop(key, None)
        try:
            for late in list(self._late):
                self._execute(late, self._late[late])
                del self._late[late]
            self._execute(key, document)
        except sqlite3.OperationalError as error:
            raise StateError(
                f"cannot write the engine's state: {error}", hint="free some space where the data directory is"
            ) from error

    def _execute(self, key: str, document: str | None) -> None:
        if document is None:
            self._connection.execute(f"DELETE FROM {self._name} WHERE key = ?", (key,))
            return
        self._connection.execute(
            f"INSERT INTO {self._name} VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET record = excluded.record",
            (key, document),
        )


class Store:
    """All of the engine's records."""

    def __init__(self, path: Path) -> None:
        """Open or make the database. Raises StateError when it is damaged or newer than we are."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            self._check_version(path)
            self.engine_id = self.meta("engine_id") or self._new_engine_id()
            self.projects = Table(self._connection, "projects", ProjectRecord)
            self.containers = Table(self._connection, "containers", ContainerRecord)
            self.networks = Table(self._connection, "networks", NetworkRecord)
            self.volumes = Table(self._connection, "volumes", VolumeRecord)
            self.leases = Table(self._connection, "leases", Lease)
            self.builds = Table(self._connection, "builds", BuildRecord)
            """By the name of the image."""
            self.watches = Table(self._connection, "watches", WatchRequest)
            """Detached watches by project."""
            self.generations = Table(self._connection, "generations", Generation)
            """By `project/service`."""
        except (sqlite3.DatabaseError, ValueError) as error:
            raise StateError(
                f"cannot open the engine's state `{path}`: {error}",
                hint="free some space if the disk is full; move the file away to start from nothing",
            ) from error

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self._connection.close()

    def meta(self, key: str) -> str:
        """A single value, "" when it was never set."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def set_meta(self, key: str, value: str) -> None:
        """Write a single value through."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def container_named(self, name: str) -> ContainerRecord | None:
        """The container with this name, of any project."""
        return next((record for record in self.containers if record.name == name), None)

    def containers_of(self, project: str) -> list[ContainerRecord]:
        """A project's containers, by service and number."""
        found = (record for record in self.containers if record.project == project)
        return sorted(found, key=lambda record: (record.service, record.one_off, record.number, record.created))

    def generation(self, project: str, service: str) -> int:
        """How often a service was asked to restart."""
        generation = self.generations.get(f"{project}/{service}")
        return generation.number if generation is not None else 0

    def generations_of(self, project: str) -> dict[str, Generation]:
        """The generations of a project's services."""
        prefix = f"{project}/"
        return {key.removeprefix(prefix): each for key, each in self.generations.items() if key.startswith(prefix)}

    def network_named(self, name: str) -> NetworkRecord | None:
        """The network with this full name."""
        return next((record for record in self.networks if record.name == name), None)

    def leases_on(self, network: str) -> list[Lease]:
        """The addresses given out on a network, by its id."""
        return [lease for lease in self.leases if lease.network == network]

    def drop_leases(self, leases: Iterable[Lease]) -> None:
        """Give addresses back."""
        for lease in leases:
            self.leases.remove(lease_key(lease))

    def _check_version(self, path: Path) -> None:
        found = self.meta("schema")
        if not found:
            self.set_meta("schema", str(SCHEMA_VERSION))
        elif int(found) > SCHEMA_VERSION:
            raise StateError(
                f"the engine's state `{path}` was written by a newer composer (schema {found})",
                hint="upgrade composer, or point COMPOSER_DATA to another directory",
            )

    def _new_engine_id(self) -> str:
        self.set_meta("engine_id", secrets.token_hex(3))
        return self.meta("engine_id")


def lease_key(lease: Lease) -> str:
    """The key of a lease: an address is leased once on a network, whatever happens."""
    return f"{lease.network}/{lease.address}"
