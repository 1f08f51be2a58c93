"""Reading directories: of a context, without what its ignore file leaves out, and of a chain of layers, merged."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from composer.build.files.entry import Entry
from composer.build.files.hashing import read_attributes
from composer.build.files.walker import MOST_DEPTH, enter
from composer.ignore.docker import Decision, DockerPatterns
from composer.image.merged import Directories, list_merged, open_layers


class Lister(Protocol):
    """How a kind of tree is read."""

    def root(self, layers: Sequence[Path]) -> Entry:
        """The root, not looked into yet."""

    def list(self, path: str, directories: Directories) -> dict[str, Entry]:
        """What is in the directory `path`, by name. Raises OSError."""

    def fill(self, entry: Entry, path: str, directories: Directories) -> None:
        """Look at everything below `entry`. Directories that cannot be read get a `problem`."""


class ChainLister:
    """A stage or an image: layers merged as overlay does, owners as they are."""

    def root(self, layers: Sequence[Path]) -> Entry:
        """See `Lister.root`."""
        with ExitStack() as stack:
            there = open_layers(layers, stack)
            status = os.fstat(there[0][1]) if there else None
            mode, mtime = (status.st_mode, status.st_mtime_ns) if status else (stat.S_IFDIR | 0o755, 0)
            owner = (status.st_uid, status.st_gid) if status else (0, 0)
            numbers = tuple(layer for layer, _ in there)
        return Entry(mode, *owner, mtime, status, numbers, children=None if there else {})

    def list(self, path: str, directories: Directories) -> dict[str, Entry]:
        """See `Lister.list`."""
        by_layer = dict(directories)
        children = {}
        for name, found in list_merged(directories).items():
            status = found.status
            child = children[name] = Entry(
                status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status, found.layers
            )
            if stat.S_ISLNK(status.st_mode):
                child.link = os.readlink(name, dir_fd=by_layer[found.layers[0]])
        return children

    def fill(self, entry: Entry, path: str, directories: Directories) -> None:
        """See `Lister.fill`."""
        if entry.whole:
            return
        if entry.children is None:
            entry.children = self.list(path, directories)
        for name, child in entry.children.items():
            if child.is_directory:
                _fill_child(self, child, name, f"{path}/{name}" if path else name, directories)
        entry.whole = True


class ContextLister:
    """A context: one directory, everything in it root's, without what `patterns` leave out."""

    def __init__(self, patterns: DockerPatterns, ignore_file: str = ".dockerignore") -> None:
        """`ignore_file` is how messages speak of where the patterns stand."""
        self.patterns = patterns
        self.ignore_file = ignore_file

    def root(self, layers: Sequence[Path]) -> Entry:
        """See `Lister.root`."""
        status = layers[0].stat()
        return Entry(stat.S_IFDIR | 0o755, 0, 0, status.st_mtime_ns, status)

    def list(self, path: str, directories: Directories) -> dict[str, Entry]:
        """See `Lister.list`."""
        return self._list(path, directories, self.patterns.decision(path) if path else Decision())

    def fill(self, entry: Entry, path: str, directories: Directories) -> None:
        """See `Lister.fill`."""
        self._fill(entry, path, directories, self.patterns.decision(path) if path else Decision())

    def _list(self, path: str, directories: Directories, above: Decision) -> dict[str, Entry]:
        ((_, directory),) = directories
        children: dict[str, Entry] = {}
        patterns, prefix = self.patterns, f"{path}/" if path else ""
        decide = patterns.decide if patterns else None
        with os.scandir(directory) as entries:
            for found in entries:
                name = found.name
                decision = decide(prefix + name, above) if decide else above
                if decision.ignored and (
                    not found.is_dir(follow_symlinks=False) or patterns.prunes(prefix + name, decision)
                ):
                    continue
                try:
                    status = found.stat(follow_symlinks=False)
                    link = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(status.st_mode) else ""
                except FileNotFoundError:
                    continue  # deleted just now, an editor's temporary file for instance
                child = Entry(status.st_mode, 0, 0, status.st_mtime_ns, status, link=link)
                if decision.ignored:
                    # It is there only for the sake of an exception below.
                    _fill_child(self, child, name, prefix + name, directories)
                    if not child.children:
                        continue
                children[name] = child
        return children

    def _fill(self, entry: Entry, path: str, directories: Directories, above: Decision) -> None:
        if entry.whole:
            return
        if entry.children is None:
            entry.children = self._list(path, directories, above)
        for name, child in entry.children.items():
            if child.is_directory and not child.whole:
                _fill_child(self, child, name, f"{path}/{name}" if path else name, directories)
        entry.whole = True


def _fill_child(lister: Lister, child: Entry, name: str, path: str, directories: Directories) -> None:
    try:
        if path.count("/") >= MOST_DEPTH:
            raise OSError(errno.ENAMETOOLONG, f"more than {MOST_DEPTH} directories deep")
        inside = enter(directories, name, child)
    except OSError as error:
        child.children, child.problem, child.whole = {}, error.errno or errno.EIO, True
        return
    try:
        child.attributes = read_attributes(inside[0][1])
        lister.fill(child, path, inside)
    except OSError as error:
        child.children, child.problem, child.whole = {}, error.errno or errno.EIO, True
    finally:
        for _, descriptor in inside:
            os.close(descriptor)
