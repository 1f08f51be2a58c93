"""What can be copied from: a build context, or the root file system of a stage or an image.

A tree is looked at as far as somebody asks: a directory that no instruction selects is never read. Paths are relative
to its root, with `/`, "" for the root itself; bytes that are no UTF-8 are surrogates. Symbolic links are resolved as if the
root were that of the file system, so nothing leads out.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from composer.build.files.contents import ContentCache, Key, Known, key_of, now, settled, stamp_of
from composer.build.files.entry import Entry
from composer.build.files.failures import changed, while_reading
from composer.build.files.hashing import hash_file
from composer.build.files.listing import Lister
from composer.build.files.walker import Walker

if TYPE_CHECKING:
    from composer.build.files.selection import Selection

_MAX_LINKS = 255
_BATCH = 400
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a path leads once its links are followed."""

    path: str
    entry: Entry | None
    """None where there is nothing."""
    link: str = ""
    """The last link on the way."""


class Tree:
    """A tree below `layers`, topmost first. Safe to be used by several threads, one of which looks at a time."""

    def __init__(self, layers: Sequence[Path], contents: ContentCache, lister: Lister, name: str) -> None:
        """`name` is how messages speak of it, "the build context" for instance. Raises OSError where it is not there."""
        self.layers = tuple(layers)
        self.name = name
        self.lister = lister
        self.lock = threading.RLock()
        self._contents = contents
        self._looked_at = now()
        self.root = lister.root(self.layers)
        self.selections: dict[tuple[object, ...], Selection] = {}
        """What was selected, by what was asked for: what a tree is does not change once it was looked at."""

    def children(self, entry: Entry, path: str) -> dict[str, Entry]:
        """What is in the directory `entry` at `path`, by name. Raises FilesError where it cannot be read."""
        if entry.children is None:
            with self.lock, self.walker() as walker:
                try:
                    entry.children = self.lister.list(path, walker.enter(path))
                except OSError as error:
                    raise while_reading(path or ".", error) from error
        return entry.children

    def fill(self, entry: Entry, path: str) -> None:
        """Look at everything below the directory `entry` at `path`; what cannot be read says so in `problem`."""
        with self.lock, self.walker() as walker:
            try:
                directories = walker.enter(path)
            except OSError as error:
                raise while_reading(path or ".", error) from error
            self.lister.fill(entry, path, directories)

    def walker(self) -> Walker:
        """Opens the tree's directories; to be closed. Raises FilesError where its root is gone."""
        try:
            return Walker(self.layers, self.root)
        except OSError as error:
            raise while_reading(str(self.layers[0]) if self.layers else ".", error) from error

    def resolve(self, path: str, *, follow_last: bool = True) -> Resolved:
        """What `path` leads to inside the tree. Raises FilesError for a directory that cannot be read."""
        trail: list[tuple[str, Entry]] = [("", self.root)]
        pending, links, last_link = deque(path.split("/")), 0, ""
        while pending:
            name = pending.popleft()
            if name in ("", "."):
                continue
            if name == "..":
                trail = trail[:-1] or trail
                continue
            place, above = trail[-1]
            here = f"{place}/{name}" if place else name
            found = self.children(above, place).get(name) if above.is_directory else None
            if found is None:
                rest = "/".join(part for part in pending if part not in ("", "."))
                return Resolved(f"{here}/{rest}" if rest else here, None, last_link)
            if found.is_link and (pending or follow_last):
                if (links := links + 1) > _MAX_LINKS:
                    return Resolved(here, None, here)
                last_link = here
                if found.link.startswith("/"):
                    trail = trail[:1]
                pending.extendleft(reversed(found.link.split("/")))
            else:
                trail.append((here, found))
        return Resolved(*trail[-1], last_link)

    def hash(self, place: str, entries: Iterable[tuple[str, Entry]], *, tolerant: bool = False) -> None:
        """Make the content of the regular files among `entries` known, whose paths are relative to `place`.

        Raises FilesError for one that cannot be read or changes meanwhile; `tolerant` gives it a `problem` instead.
        """
        with self.lock:
            known = [self._contents.of(str(layer)) for layer in self.layers]
            prefix = f"{place}/" if place else ""
            missing = [
                (prefix + path if path else place, entry)
                for path, entry in entries
                if not entry.content and S_ISREG(entry.mode) and not _recall(entry, known)
            ]
            if not missing:
                return
            batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
            if len(batches) == 1:
                self._hash_batch(batches[0], tolerant)
            else:
                with ThreadPoolExecutor(_WORKERS, thread_name_prefix="hash") as pool:
                    for done in [pool.submit(self._hash_batch, batch, tolerant) for batch in batches]:
                        done.result()
            self._remember(missing)

    def _hash_batch(self, batch: Sequence[tuple[str, Entry]], tolerant: bool) -> None:
        with self.walker() as walker:
            for path, entry in batch:
                directory, _, name = path.rpartition("/")
                size = entry.status.st_size if entry.status else 0
                try:
                    found = hash_file(name, walker.file_directory(directory, entry.layers[0]), size)
                except OSError as error:
                    if not tolerant:
                        raise while_reading(path, error) from error
                    entry.problem = error.errno or errno.EIO
                    continue
                if found is not None:
                    entry.content, entry.attributes = found
                elif not tolerant:
                    raise changed(path)

    def _remember(self, hashed: Iterable[tuple[str, Entry]]) -> None:
        new: dict[int, list[tuple[Key, Known]]] = {}
        for _, entry in hashed:
            if entry.content and entry.status is not None and settled(entry.status, self._looked_at):
                known = (stamp_of(entry.status), entry.content, entry.attributes)
                new.setdefault(entry.layers[0], []).append((key_of(entry.status), known))
        for layer, found in new.items():
            self._contents.remember(str(self.layers[layer]), found)


def _recall(entry: Entry, known: Sequence[dict[Key, Known]]) -> bool:
    """Take the content from what is known, if the file is still what it was."""
    status = entry.status
    if status is None:
        return True
    found = known[entry.layers[0]].get((status.st_dev, status.st_ino))
    if found is None or found[0] != stamp_of(status):
        return False
    _, entry.content, entry.attributes = found
    return True
