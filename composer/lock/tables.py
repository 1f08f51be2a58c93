"""A lock's tables, taken apart: every value is of the type and form that it must have, or is a problem with a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from composer.errors import ComposerError, Diagnostic, ImageError, ProjectError, Severity
from composer.lock.model import VERSION, Lock, LockedCommit, LockedDownload, LockedImage, LockedPackages, name_of
from composer.lock.places import Places
from composer.oci.digest import Digest
from composer.oci.platform import parse_platform
from composer.oci.reference import parse

T = TypeVar("T")

AGAIN = "put it back as version control has it, or make it anew with `compose lock --update`"
"""What to do about a lock that is damaged."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def lock_in(document: Mapping[str, Any], places: Places) -> Lock:
    """The lock that a parsed document holds. Raises ProjectError with every problem, in order of lines."""
    return _Reader(document, places).lock()


class _Reader:
    """Takes a document apart, collecting every problem."""

    def __init__(self, document: Mapping[str, Any], places: Places) -> None:
        self._document = document
        self._places = places
        self._problems: list[Diagnostic] = []

    def lock(self) -> Lock:
        self._check_version()
        self._known((), self._document, "version", "image", "download", "git", "packages")
        lock = Lock(
            self._tables("image", self._image, self._image_name),
            self._tables("download", self._download),
            self._tables("git", self._commit),
            self._tables("packages", self._packages, self._image_name),
        )
        if self._problems:
            raise ProjectError(sorted(self._problems, key=lambda each: each.location.line if each.location else 0))
        return lock

    def _check_version(self) -> None:
        version = self._document.get("version")
        if version == VERSION and not isinstance(version, bool):
            return
        if isinstance(version, int) and version > VERSION:
            hint = "upgrade composer: a newer one has written this file"
            message = f"cannot use the lock: it has version {version}, this composer knows {VERSION}"
        else:
            hint = AGAIN
            message = f"cannot use the lock: `version = {VERSION}` is missing"
        # Of another version nothing else can be judged.
        raise ProjectError([Diagnostic(Severity.ERROR, message, self._places.at(("version",)), hint=hint)])

    def _tables(
        self, kind: str, read: Callable[[tuple[str, ...], Mapping[str, Any]], T], check: Callable[[str], str] = str
    ) -> dict[str, T]:
        found: dict[str, T] = {}
        tables = self._table((kind,), self._document.get(kind, {}))
        for name, value in tables.items():
            path = (kind, name)
            try:
                found[check(name)] = read(path, self._table(path, value))
            except (ImageError, ValueError) as error:
                self._problem(path, error.message if isinstance(error, ComposerError) else str(error))
        return found

    def _image(self, path: tuple[str, ...], table: Mapping[str, Any]) -> LockedImage:
        self._known(path, table, "digest", "created", "size", "source", "locked", "used_by", "platforms")
        platforms = self._table((*path, "platforms"), table.get("platforms", {}))
        return LockedImage(
            digest=self._digest(path, table, "digest"),
            platforms={
                str(parse_platform(name)): self._digest((*path, "platforms"), platforms, name) for name in platforms
            },
            created=self._time(path, table, "created"),
            size=max(self._value(path, table, "size", int, 0), 0),
            source=self._value(path, table, "source", str, ""),
            locked=self._time(path, table),
            used_by=self._names(path, table),
        )

    def _download(self, path: tuple[str, ...], table: Mapping[str, Any]) -> LockedDownload:
        self._known(path, table, "checksum", "locked", "used_by")
        return LockedDownload(self._digest(path, table, "checksum"), self._time(path, table), self._names(path, table))

    def _commit(self, path: tuple[str, ...], table: Mapping[str, Any]) -> LockedCommit:
        self._known(path, table, "commit", "locked", "used_by")
        commit = self._value(path, table, "commit", str, "")
        if not _COMMIT.fullmatch(commit):
            self._problem((*path, "commit"), f"`{commit}` is no commit: expected 40 hexadecimal digits")
        return LockedCommit(commit, self._time(path, table), self._names(path, table))

    def _packages(self, path: tuple[str, ...], table: Mapping[str, Any]) -> LockedPackages:
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for ecosystem, installed in table.items():
            if ecosystem not in ("digest", "platform"):
                inner = (*path, ecosystem)
                found[ecosystem] = {
                    name: self._versions((*inner, name), version)
                    for name, version in self._table(inner, installed).items()
                }
        return LockedPackages(self._digest(path, table, "digest"), self._value(path, table, "platform", str, ""), found)

    def _versions(self, path: tuple[str, ...], value: Any) -> tuple[str, ...]:
        versions = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
        if not versions or not all(isinstance(each, str) for each in versions):
            self._problem(path, "expected a version, or a list of them")
            return ()
        return versions

    def _image_name(self, name: str) -> str:
        normal = name_of(parse(name))
        if normal != name and normal in self._document.get("image", {}):
            raise ValueError(f"`{name}` is another spelling of `{normal}`, which stands there too")
        return normal

    def _digest(self, path: tuple[str, ...], table: Mapping[str, Any], key: str) -> Digest:
        value = table.get(key)
        try:
            return Digest.parse(value if isinstance(value, str) else "")
        except ImageError as error:
            message = f"`{key}` is missing" if value is None else error.message
            self._problem((*path, key), message)
            return Digest("sha256", "0" * 64)

    def _value(self, path: tuple[str, ...], table: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
        value = table.get(key, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            self._problem((*path, key), f"`{key}` is of the wrong type, expected {_KINDS[kind]}")
            return default
        return value

    def _time(self, path: tuple[str, ...], table: Mapping[str, Any], key: str = "locked") -> datetime | None:
        value = table.get(key)
        if value is None or (isinstance(value, datetime) and value.tzinfo is not None):
            return value
        self._problem((*path, key), f"`{key}` is of the wrong type, expected a time like 2026-01-31T12:00:00Z")
        return None

    def _names(self, path: tuple[str, ...], table: Mapping[str, Any]) -> tuple[str, ...]:
        value = table.get("used_by", [])
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self._problem((*path, "used_by"), "`used_by` is of the wrong type, expected a list of strings")
        return ()

    def _table(self, path: tuple[str, ...], value: Any) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._problem(path, f"`{path[-1]}` is of the wrong type, expected a table")
        return {}

    def _known(self, path: tuple[str, ...], table: Mapping[str, Any], *keys: str) -> None:
        for key in table:
            if key not in keys:
                self._problem((*path, key), f"`{key}` is nothing that stands here; known are {', '.join(keys)}")

    def _problem(self, path: tuple[str, ...], message: str) -> None:
        self._problems.append(
            Diagnostic(Severity.ERROR, f"cannot use the lock: {message}", self._places.at(path), hint=AGAIN)
        )


_KINDS: Mapping[type, str] = {str: "a string", int: "a number"}
