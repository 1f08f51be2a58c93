"""A lock as TOML: sorted, one thing a line, the same lock the same text."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from composer.errors import HostError
from composer.lock.model import VERSION, Lock, LockedPackages

_HEAD = """\
# Made by `compose lock`: what each name that this project uses means, for everybody who works on it. Commit it.
# `compose lock --update` moves it on, `compose lock --diff` tells what has moved.
"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

Value = str | int | datetime | tuple[str, ...]


def write(lock: Lock) -> str:
    """The text of `lock`."""
    return _HEAD + f"version = {VERSION}\n" + "".join(_tables(lock))


def _tables(lock: Lock) -> Iterator[str]:
    for url, download in sorted(lock.downloads.items()):
        yield _table(
            ("download", url),
            checksum=str(download.checksum),
            locked=download.locked,
            used_by=download.used_by,
        )
    for url, commit in sorted(lock.commits.items()):
        yield _table(("git", url), commit=commit.commit, locked=commit.locked, used_by=commit.used_by)
    for name, image in sorted(lock.images.items()):
        yield _table(
            ("image", name),
            digest=str(image.digest),
            created=image.created,
            size=image.size,
            source=image.source,
            locked=image.locked,
            used_by=image.used_by,
        )
        yield _mapping(("image", name, "platforms"), {key: str(value) for key, value in image.platforms.items()})
    # Last: whoever only runs the project reads no further, see `reading`.
    for name, packages in sorted(lock.packages.items()):
        yield from _packages(name, packages)


def _packages(name: str, packages: LockedPackages) -> Iterator[str]:
    yield _table(("packages", name), digest=str(packages.digest), platform=packages.platform)
    for ecosystem, installed in sorted(packages.packages.items()):
        versions = {key: each[0] if len(each) == 1 else each for key, each in installed.items()}
        yield _mapping(("packages", name, ecosystem), versions)


def _table(path: tuple[str, ...], **values: Value | None) -> str:
    """A table with its keys in the order given, without those that say nothing."""
    lines = [f"{key} = {_value(value)}\n" for key, value in values.items() if value]
    return _header(path) + "".join(lines)


def _mapping(path: tuple[str, ...], values: Mapping[str, str | tuple[str, ...]]) -> str:
    """A table with its keys sorted."""
    return _header(path) + "".join(f"{_key(key)} = {_value(value)}\n" for key, value in sorted(values.items()))


def _header(path: tuple[str, ...]) -> str:
    return f"\n[{'.'.join(map(_key, path))}]\n"


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _string(text)


def _value(value: Value) -> str:
    match value:
        case str():
            return _string(value)
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
        case tuple():
            return f"[{', '.join(map(_string, value))}]"
        case _:
            return str(value)


def _string(text: str) -> str:
    """A basic string (TOML 1.0, "String"): quotes, backslashes and control characters are escaped."""
    shown = "".join(
        _ESCAPES.get(character) or (f"\\u{ord(character):04x}" if character < " " or character == "\x7f" else character)
        for character in text
    )
    return f'"{shown}"'


def save(text: str, path: Path) -> None:
    """Have `text` at `path`, whole or not at all. Raises HostError."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        made.write_text(text, encoding="utf-8")
        if mode is not None:
            made.chmod(mode)
        made.replace(path)
    except OSError as error:
        raise HostError(f"cannot write `{path}`: {(error.strerror or 'error').lower()}") from error
    finally:
        with suppress(OSError):  # a read-only file system says so of a file that is not there, too
            made.unlink()
