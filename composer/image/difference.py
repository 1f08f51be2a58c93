"""Where two layers differ first: unpacked trees compared file by file, as far as a layer's archive would tell them apart."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20
TIMES = "modification time"


@dataclass(frozen=True, slots=True)
class Difference:
    """One file in which two layers differ."""

    path: str
    """Below the layer's root."""
    what: str
    """`content`, `modification time`, "is only in the first"."""


def first_difference(one: Path, other: Path) -> Difference | None:
    """The first file, by path, that differs; one that differs in more than its times goes before those that do not.

    None where they are alike in all that is looked at. Reads contents of equal length. Raises OSError.
    """
    later: Difference | None = None
    for difference in _differences(one, other, ""):
        if difference.what != TIMES:
            return difference
        later = later or difference
    return later


def _differences(one: Path, other: Path, path: str) -> Iterator[Difference]:
    if what := _what_differs(one, other):
        yield Difference(path or ".", what)
    if not (stat.S_ISDIR(one.lstat().st_mode) and stat.S_ISDIR(other.lstat().st_mode)):
        return
    mine, theirs = ({entry.name for entry in directory.iterdir()} for directory in (one, other))
    for name in sorted(mine | theirs):
        below = f"{path}/{name}" if path else name
        if name not in theirs:
            yield Difference(below, "is only in the first")
        elif name not in mine:
            yield Difference(below, "is only in the second")
        else:
            yield from _differences(one / name, other / name, below)


def _what_differs(one: Path, other: Path) -> str:
    mine, theirs = one.lstat(), other.lstat()
    if stat.S_IFMT(mine.st_mode) != stat.S_IFMT(theirs.st_mode):
        return "kind"
    if stat.S_ISREG(mine.st_mode) and (mine.st_size != theirs.st_size or not _same_content(one, other)):
        return "content"
    if stat.S_ISLNK(mine.st_mode) and one.readlink() != other.readlink():
        return "link target"
    if mine.st_mode != theirs.st_mode:
        return "permissions"
    if (mine.st_uid, mine.st_gid) != (theirs.st_uid, theirs.st_gid):
        return "owner"
    if mine.st_rdev != theirs.st_rdev:
        return "device"
    # An archive has whole seconds, as those that are built here write them.
    return TIMES if int(mine.st_mtime) != int(theirs.st_mtime) else ""


def _same_content(one: Path, other: Path) -> bool:
    with one.open("rb", buffering=0) as first, other.open("rb", buffering=0) as second:
        while True:
            mine, theirs = first.read(_CHUNK), second.read(_CHUNK)
            if mine != theirs:
                return False
            if not mine:
                return True
