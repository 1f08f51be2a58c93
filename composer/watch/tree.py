"""What is below a watched root: a manifest of content hashes that is brought up to date where something may have changed.

A file is read only when its stamp (inode, size, times) differs from the last look; what is told is what differs in kind, mode
or content, so a file that was touched, or written again as it was, is no change. Sockets, FIFOs and devices do not count.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from composer.watch.selection import Selection

_CHUNK = 1 << 20
_TICK = 50_000_000
"""Nanoseconds within which a file may change again and keep its times: such a stamp proves nothing."""

FILE, DIRECTORY, LINK, DOUBT = "file", "directory", "link", "doubt"


_KINDS = (FILE, DIRECTORY, LINK, DOUBT)
_HEAD = struct.Struct("<BHq")
_STAMP = slice(3, _HEAD.size)


class Entry(bytes):
    """One file, directory or symbolic link; packed into one object, for there may be a hundred thousand."""

    __slots__ = ()

    def __new__(cls, kind: str, mode: int = 0, digest: bytes = b"", stamp: int = 0) -> Entry:
        """`digest` is a hash of the content, or the text of a link; `stamp` what changes when it may have, 0 for unknown."""
        return super().__new__(cls, _HEAD.pack(_KINDS.index(kind), mode, stamp) + digest)

    @property
    def kind(self) -> str:
        """FILE, DIRECTORY, LINK, or DOUBT."""
        return _KINDS[self[0]]

    @property
    def mode(self) -> int:
        """The permissions."""
        return self[1] | self[2] << 8

    @property
    def digest(self) -> bytes:
        """A hash of the content, or the text of a link."""
        return self[_HEAD.size :]

    @property
    def stamp(self) -> int:
        """What changes when the content may have; 0 for unknown."""
        return int.from_bytes(self[_STAMP], "little", signed=True)

    @property
    def in_doubt(self) -> bool:
        """Whether this says only that something may be there."""
        return self.kind == DOUBT

    def same(self, other: Entry | None) -> bool:
        """Whether a reader could not tell them apart."""
        size = _HEAD.size
        return other is not None and (self == other or (self[:3] == other[:3] and self[size:] == other[size:]))

    def __repr__(self) -> str:
        return f"Entry({self.kind!r}, {self.mode:#o}, {self.digest!r}, {self.stamp})"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read or written."""

    path: str
    why: str


class Tree:
    """The entries below one root by path relative to it; "" is the root itself."""

    def __init__(self, selection: Selection, known: Mapping[str, Entry] | None = None) -> None:
        """`known` are entries of an earlier look: files whose stamp is the same are not read again."""
        self.selection = selection
        self.entries: dict[str, Entry] = dict(known or {})
        self.problems: list[Problem] = []
        """What the last look could not read; its entries stay as they were."""
        self.doubts: set[str] = set()
        """Paths that were found to be others than was seen: the next look tells them as changed, whatever it finds."""

    @property
    def is_there(self) -> bool:
        """Whether the root exists, as of the last look."""
        return "" in self.entries

    def scan(self) -> list[str]:
        """Look at everything; the paths that changed, sorted. A directory that is gone is told by `is_there` alone."""
        doubts, self.doubts = self.doubts, set()
        return sorted(doubts.union(self._scan()))

    def _scan(self) -> list[str]:
        self.problems = []
        root = self.selection.root
        try:
            status = _status(root)
        except OSError as error:
            self._tell(root, error)
            return []
        if status is None:
            # A directory may be moved for a moment, and all that is below counts on it; of a file nothing else is left.
            former = self.entries.pop("", None)
            if former is not None and former.kind == DIRECTORY:
                self.problems.append(Problem(root, "it is gone; containers keep what they have of it until it is back"))
            return [""] if former is not None and former.kind != DIRECTORY else []
        return self._replace(self.entries, dict(self._walk(root, status)))

    def look(self, paths: Iterable[str]) -> list[str]:
        """Look at `paths`, directories with all that is below; the relative paths that changed, sorted."""
        doubts, self.doubts = self.doubts, set()
        root = self.selection.root
        return sorted(doubts.union(self._look({*paths, *(f"{root}/{path}" if path else root for path in doubts)})))

    def _look(self, paths: Iterable[str]) -> list[str]:
        self.problems = []
        selection = self.selection
        touched: set[str] = set()
        subtrees: set[str] = set()
        fresh: dict[str, Entry] = {}
        covered = "\0"
        real: dict[str, bool] = {selection.root: True}
        for path in sorted(paths):
            if path == selection.root or selection.root.startswith(f"{path}/"):
                return self._scan()
            if path not in selection or path.startswith(covered):
                continue
            relative = path[len(selection.root) + 1 :]
            try:
                # An event may name a path that leads through what is a link by now: there is nothing of ours there.
                status = _status(path) if _is_real(path.rpartition("/")[0], real) else None
            except OSError as error:
                self._tell(path, error)
                continue
            known = self.entries.get(relative)
            if status is not None and stat.S_ISDIR(status.st_mode):
                covered = f"{path}/"
                subtrees.add(relative)
                fresh.update(self._walk(path, status))
                continue
            entry = self._single(path, status, known)
            if known is not None and known.kind == DIRECTORY:
                subtrees.add(relative)
            if entry is not None:
                fresh[relative] = entry
            touched.add(relative)
        former = {relative: self.entries[relative] for relative in touched if relative in self.entries}
        if subtrees:
            former |= {key: entry for key, entry in self.entries.items() if _is_below(key, subtrees)}
        return self._replace(former, fresh)

    def _single(self, path: str, status: os.stat_result | None, former: Entry | None) -> Entry | None:
        """What is at `path`, which is no directory; None for nothing that counts."""
        return self._entry(path, status, former) if status is not None and self._counts(path, status) else None

    def _replace(self, former: Mapping[str, Entry], fresh: Mapping[str, Entry]) -> list[str]:
        """Put `fresh` in the place of `former`, both of one subtree; the paths where they differ."""
        changed = [path for path, entry in fresh.items() if not entry.same(former.get(path))]
        gone = [path for path in former if path not in fresh]
        for path in gone:
            del self.entries[path]
        self.entries.update(fresh)
        return changed + gone

    def _walk(self, path: str, status: os.stat_result) -> Iterator[tuple[str, Entry]]:
        """The entry of `path`, and of all that counts below it."""
        start = len(self.selection.root) + 1
        if self._counts(path, status) and (entry := self._entry(path, status, self.entries.get(path[start:]))):
            yield path[start:], entry
        if not stat.S_ISDIR(status.st_mode) or not self.selection.enters(path):
            return
        waiting = [path]
        while waiting:
            directory = waiting.pop()
            try:
                listed = self._listed(directory)
            except OSError as error:
                self._tell(directory, error)
                below = f"{directory[start:]}/" if len(directory) >= start else ""
                yield from [item for item in self.entries.items() if item[0].startswith(below) and item[0]]
                continue
            for inner, inner_status in listed:
                is_directory = stat.S_ISDIR(inner_status.st_mode)
                if is_directory and self.selection.enters(inner):
                    waiting.append(inner)
                if self._counts(inner, inner_status):
                    entry = self._entry(inner, inner_status, self.entries.get(inner[start:]))
                    if entry is not None:
                        yield inner[start:], entry

    def _listed(self, directory: str) -> list[tuple[str, os.stat_result]]:
        """What is in a directory, nothing if it is none. Raises OSError when it cannot be read."""
        listed = []
        try:
            with os.scandir(directory) as found:
                for item in found:
                    with contextlib.suppress(FileNotFoundError):
                        listed.append((item.path, item.stat(follow_symlinks=False)))
        except (FileNotFoundError, NotADirectoryError):
            pass
        return listed

    def _tell(self, path: str, error: OSError) -> None:
        self.problems.append(Problem(path, (error.strerror or str(error)).lower()))

    def _counts(self, path: str, status: os.stat_result) -> bool:
        return self.selection.counts(path, directory=stat.S_ISDIR(status.st_mode))

    def _entry(self, path: str, status: os.stat_result, former: Entry | None) -> Entry | None:
        """The entry of what is at `path`; the former one where it cannot be read, None where it does not count."""
        mode = stat.S_IMODE(status.st_mode)
        try:
            if stat.S_ISREG(status.st_mode):
                stamp = stamp_of(status)
                if former is not None and former.kind == FILE and former.stamp == stamp:
                    return former if former.mode == mode else Entry(FILE, mode, former.digest, stamp)
                began = time.time_ns()
                digest = digest_of_file(path)
                settled = began - max(status.st_mtime_ns, status.st_ctime_ns) > _TICK
                return Entry(FILE, mode, digest, stamp if settled else 0)
            if stat.S_ISDIR(status.st_mode):
                return Entry(DIRECTORY, mode)
            if stat.S_ISLNK(status.st_mode):
                return Entry(LINK, 0, os.readlink(os.fsencode(path)))  # noqa: PTH115 - bytes
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._tell(path, error)
            return former
        return None


def stamp_of(status: os.stat_result) -> int:
    """A number that differs when a file may have; the same in every process."""
    return hash((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)) or 1


def digest_of_file(path: str) -> bytes:
    """The hash of a regular file's content. Raises OSError; ELOOP for a link and ENXIO for what is no file now."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return digest_of(fd)
    finally:
        os.close(fd)


def digest_of(fd: int) -> bytes:
    """The hash of what can be read from `fd`."""
    hasher = new_digest()
    while data := os.read(fd, _CHUNK):
        hasher.update(data)
    return hasher.digest()


def new_digest() -> hashlib.blake2b:
    """The hash that manifests are made of."""
    return hashlib.blake2b(digest_size=16)


def _is_below(path: str, directories: set[str]) -> bool:
    """Whether `path` is one of `directories` or in one."""
    while path:
        if path in directories:
            return True
        path = path.rpartition("/")[0]
    return False


def _is_real(directory: str, known: dict[str, bool]) -> bool:
    """Whether `directory`, which is at or below a path in `known`, is reached without a link; adds to `known`."""
    if directory not in known:
        status = _status(directory) if _is_real(directory.rpartition("/")[0], known) else None
        known[directory] = status is not None and stat.S_ISDIR(status.st_mode)
    return known[directory]


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=False)  # noqa: PTH116 - paths of any encoding, thousands of them
    except (FileNotFoundError, NotADirectoryError):
        return None
