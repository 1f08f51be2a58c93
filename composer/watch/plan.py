"""The operations that make what a container has into what it should have, as data.

    remove, deepest first → directories, outermost first → files and links

A thing that changes its kind is removed first. Nothing is removed that we did not bring, but for what stands in the way and
for what lies in a directory that was deleted: `rm -r` here is `rm -r` there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from composer.watch.tree import DIRECTORY, LINK, Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be at a path of the container, and the file here that it comes from."""

    entry: Entry
    source: str
    alone: bool = False
    """Whether it is all that a rule brings."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove what is at `target`, with all that is below; nothing there is success."""

    target: str


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """A directory of this mode at `target`; one that is there gets the mode."""

    target: str
    mode: int


@dataclass(frozen=True, slots=True)
class WriteFile:
    """The content of `source` at `target`, atomically."""

    target: str
    source: str
    mode: int
    alone: bool = False
    """It does not take the place of a directory with files in it: that would be the rule's mistake."""
    digest: bytes = b""
    """The hash of what was seen there; "" for whatever there is."""


@dataclass(frozen=True, slots=True)
class MakeLink:
    """A symbolic link at `target`, atomically."""

    target: str
    text: bytes


Operation = Remove | MakeDirectory | WriteFile | MakeLink


@dataclass(frozen=True, slots=True)
class SyncFiles:
    """What is to be done in one container's root, in this order."""

    operations: tuple[Operation, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.operations)

    def __str__(self) -> str:
        """One line an operation, stable."""
        return "\n".join(f"{_WORDS[type(each)]} {each.target}" for each in self.operations)


_WORDS = {Remove: "remove", MakeDirectory: "directory", WriteFile: "write", MakeLink: "link"}


def plan(touched: Iterable[str], want: Mapping[str, Wanted], have: Mapping[str, Entry]) -> SyncFiles:
    """What brings the paths `touched` from `have` to `want`; other paths are left alone."""
    removed: list[Operation] = []
    directories: list[Operation] = []
    others: list[Operation] = []
    gone = ""
    for target in sorted(set(touched)):
        wanted, there = want.get(target), have.get(target)
        if wanted is None:
            # What lies in a directory that goes as a whole need not be named.
            if there is not None and not (gone and target.startswith(gone)):
                removed.append(Remove(target))
                gone = f"{target}/" if there.kind == DIRECTORY else gone
            continue
        if wanted.entry.same(there):
            continue
        if there is not None and (there.kind == DIRECTORY) != (wanted.entry.kind == DIRECTORY) and not wanted.alone:
            removed.append(Remove(target))
        if wanted.entry.kind == DIRECTORY:
            directories.append(MakeDirectory(target, wanted.entry.mode))
        elif wanted.entry.kind == LINK:
            others.append(MakeLink(target, wanted.entry.digest))
        else:
            others.append(WriteFile(target, wanted.source, wanted.entry.mode, wanted.alone, wanted.entry.digest))
    return SyncFiles((*reversed(removed), *directories, *others))
