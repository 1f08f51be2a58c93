"""Named and anonymous volumes: `<root>/<name>/_data`.

A volume is made when it is first used and deleted only by name. Its content belongs to containers, who may have put
anything into it: it is never followed, only listed and deleted.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from composer.errors import ContainerError
from composer.image.removal import discard, empty_trash

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_DATA = "_data"


def anonymous_name() -> str:
    """A new name for a volume nobody named, 64 hexadecimal digits as Docker gives them."""
    return secrets.token_hex(32)


class Volumes:
    """The volumes below `root`, a directory of ours that is made when it is needed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, name: str) -> Path:
        """The data directory of volume `name`, made if it is not there. Raises ContainerError for a wrong name."""
        path = self.path(name)
        self._root.mkdir(mode=0o711, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o711, exist_ok=True)
        path.mkdir(mode=0o755, exist_ok=True)
        return path

    def path(self, name: str) -> Path:
        """Where the data of volume `name` is, or would be. Raises ContainerError for a wrong name."""
        if not _NAME.fullmatch(name):
            raise ContainerError(
                f"cannot use `{name}` as the name of a volume: expected letters, digits, `_`, `.` and `-`, "
                "beginning with a letter or digit"
            )
        return self._root / name / _DATA

    def exists(self, name: str) -> bool:
        """Whether volume `name` is there."""
        return self.path(name).is_dir()

    def list(self) -> tuple[str, ...]:
        """The names of all volumes, sorted."""
        if not self._root.is_dir():
            return ()
        return tuple(
            sorted(path.parent.name for path in self._root.glob(f"*/{_DATA}") if _NAME.fullmatch(path.parent.name))
        )

    def size(self, name: str) -> int:
        """Bytes that the files of volume `name` take on disk, hardlinks once; 0 where it is not there."""
        seen: set[tuple[int, int]] = set()
        total = 0
        for status in _walk(str(self.path(name))):
            if status.st_nlink > 1:
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
        return total

    def remove(self, name: str) -> None:
        """Delete volume `name` and all its data; nothing there is fine.

        It is gone in one step. Raises ContainerError where its files cannot be deleted.
        """
        directory = self.path(name).parent
        try:
            discard(directory)
        except OSError as error:
            raise ContainerError(
                f"cannot remove volume `{name}`: {(error.strerror or str(error)).lower()}", errno=error.errno or 0
            ) from error

    def sweep(self) -> None:
        """Delete what interrupted removals left."""
        if self._root.is_dir():
            empty_trash(self._root)


def _walk(path: str) -> Iterator[os.stat_result]:
    pending = [path]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    yield status
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # it changed while we looked, or is not ours to see
