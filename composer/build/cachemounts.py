"""Cache mounts of RUN steps: directories that last, by id, for all builds of the engine.

`data/build/mounts/<digest of the id>/`: `id` says whose they are, `0` is the directory, `1` and so on are further ones
for steps that would not share (`sharing=private`). `locked` makes steps wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from composer.build.operations import RunMount, Sharing
from composer.image.ownership import Ownership
from composer.image.removal import discard


@dataclass(frozen=True, slots=True)
class Stored:
    """One cache mount on the disk."""

    id: str
    path: Path
    used: float
    """Seconds since the epoch."""

    @property
    def size(self) -> int:
        """Bytes that its files take; walks through all of them."""
        return sum(file.lstat().st_blocks * 512 for file in self.path.rglob("*"))


class CacheMounts:
    """All of them; one for the whole engine."""

    def __init__(self, directory: Path, ownership: Ownership) -> None:
        self._directory = directory
        self._ownership = ownership
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[Path] = Counter()

    @contextlib.asynccontextmanager
    async def using(self, mount: RunMount) -> AsyncIterator[tuple[Path, bool]]:
        """The directory for a step, and whether it is new; waits for others where `mount` is not to be shared."""
        async with contextlib.AsyncExitStack() as stack:
            if mount.sharing is Sharing.LOCKED:
                await stack.enter_async_context(self._locks.setdefault(mount.id, asyncio.Lock()))
            path = self._choose(mount)
            self._users[path] += 1
            try:
                new = self._prepare(path, mount)
                os.utime(path.parent)
                yield path, new
            finally:
                self._users[path] -= 1

    def forget(self, path: Path) -> None:
        """Delete a directory that was to be filled by the one step that has it, and was not."""
        if self._users[path] == 1:
            discard(path)

    def list(self) -> Iterator[Stored]:
        """Every cache mount."""
        for directory in sorted(self._directory.iterdir()) if self._directory.is_dir() else ():
            with contextlib.suppress(OSError):
                name = (directory / "id").read_text()
                yield Stored(name, directory, directory.stat().st_mtime)

    def in_use(self, stored: Stored) -> bool:
        """Whether a step has it."""
        return any(count and path.parent == stored.path for path, count in self._users.items())

    def remove(self, stored: Stored) -> None:
        """Delete one that no step has."""
        discard(stored.path)

    def _choose(self, mount: RunMount) -> Path:
        base = self._directory / hashlib.sha256(mount.id.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        number = 0
        if mount.sharing is Sharing.PRIVATE:
            while self._users[base / str(number)]:
                number += 1
        return base / str(number)

    def _prepare(self, path: Path, mount: RunMount) -> bool:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = path.parent / "id"
        if not name.exists():
            name.write_text(mount.id, errors="surrogateescape")
        try:
            path.mkdir()
        except FileExistsError:
            return False
        path.chmod(mount.mode)
        owner = self._ownership.allowed(mount.uid, mount.gid)
        os.chown(path, *owner)
        return True
