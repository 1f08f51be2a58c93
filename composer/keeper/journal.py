"""Exits that were reaped and that the engine has not acknowledged: a file that survives the keeper.

One JSON line an exit, appended before anybody is told; the file is emptied when the last one is acknowledged. A line
cut short by a full disk or a kill is left out when reading.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from composer.keeper.notes import note


class Journal:
    """The exits in `path`, by container id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.exits: dict[str, dict[str, Any]] = _read(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def record(self, exit_: dict[str, Any]) -> None:
        """Keep an exit (`id`, `pid`, `status`, `time`) until it is acknowledged."""
        self.exits[exit_["id"]] = exit_
        self._write(exit_)

    def acknowledge(self, ids: Iterable[str]) -> None:
        """Forget the exits of `ids`; unknown ones are fine."""
        for id_ in ids:
            if self.exits.pop(id_, None):
                self._write({"acknowledged": id_})
        if not self.exits:
            os.ftruncate(self._fd, 0)

    def _write(self, line: dict[str, Any]) -> None:
        data = b"\n" + json.dumps(line).encode() + b"\n"  # an own line even after a torn one
        try:
            os.write(self._fd, data)
        except OSError as error:
            note(f"journal: {error.strerror}; {line} is kept in memory only")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    exits: dict[str, dict[str, Any]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return exits
    for line in lines:
        try:
            entry = json.loads(line)
            if "acknowledged" in entry:
                exits.pop(entry["acknowledged"], None)
            else:
                exits[entry["id"]] = entry
        except (ValueError, KeyError, TypeError):
            continue
    return exits
