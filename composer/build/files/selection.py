"""What an instruction copies: sources found in a tree, and the digest of what they are.

The digest is what a cache key needs to know of the sources, and is the same on every machine. Into it go, in the order in which
things are copied: for each source whether it is a file, a directory's content or an archive to unpack, and a file's own name;
of everything in it the path below the source, kind and permissions, the owner (where it will matter), the content, the
target of a link, extended attributes that belong into an image, and which files are one file under several names. Not in it:
any time, the path that led to the sources, what is not selected, sockets, and a directory's own attributes where only its
content is copied.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from composer.build.files.contents import now
from composer.build.files.entry import Entry, walk
from composer.build.files.tree import Tree

_VERSION = b"composer selection 1\n"


@dataclass(frozen=True, slots=True)
class Item:
    """One source as it was found."""

    name: str
    """A file's name at the destination; what the instruction calls it, even where that is a link."""
    path: str
    """Where it is in the tree, links resolved."""
    entry: Entry
    archive: bool = False
    """Whether it is to be unpacked."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Sources in the order of the instruction."""

    items: tuple[Item, ...]
    tree: Tree | None
    """Where they are; None for content that is nowhere on a disk."""
    digest: str = ""
    """`sha256:…`, see above."""
    unmatched: tuple[str, ...] = ()
    """Sources with wildcards that nothing matches, which is no error."""


def is_bare(selection: Selection) -> bool:
    """Whether there are sources, all of them directories with nothing in them."""
    return bool(selection.items) and all(
        item.entry.is_directory and not item.entry.children for item in selection.items
    )


def inline(name: str, data: bytes, *, mode: int = 0o644, mtime: int | None = None) -> Selection:
    """A file with content that is nowhere on a disk, such as a heredoc's; `mtime` in nanoseconds, else now."""
    time = now() if mtime is None else mtime
    entry = Entry(stat.S_IFREG | mode, 0, 0, time, content=hashlib.sha256(data).digest(), data=data)
    items = (Item(name, name, entry),)
    return Selection(items, None, digest_of(items, owners=True))


def digest_of(items: Sequence[Item], *, owners: bool) -> str:
    """The digest of items whose contents are known; `owners` says whether the sources' owners are kept."""
    digest = hashlib.sha256(_VERSION)
    for item in items:
        kind = b"archive" if item.archive else b"content" if item.entry.is_directory else b"file"
        digest.update(b"%b %b\0" % (kind, _bytes("" if item.entry.is_directory else item.name)))
        names: dict[tuple[int, int], bytes] = {}
        for path, entry in walk(item.entry):
            if path or not entry.is_directory:
                digest.update(_record(path, entry, owners, names))
    return f"sha256:{digest.hexdigest()}"


def _record(path: str, entry: Entry, owners: bool, names: dict[tuple[int, int], bytes]) -> bytes:
    mode, place = entry.mode, _bytes(path)
    if stat.S_ISSOCK(mode):
        return b""
    head = b"%b\0%o %b " % (place, mode, b"%d:%d" % (entry.uid, entry.gid) if owners else b"-")
    attributes = b""
    if entry.attributes:
        attributes = b"".join(b"%b=%d:%b" % (_bytes(name), len(value), value) for name, value in entry.attributes)
    if stat.S_ISREG(mode):
        inode = entry.inode
        if inode is not None and (first := names.setdefault(inode, place)) != place:
            return head + b"= %b\0" % first
        return head + entry.content + attributes + b"\0"
    if stat.S_ISLNK(mode):
        return head + _bytes(entry.link) + b"\0"
    if stat.S_ISDIR(mode):
        return head + (b"implied" if entry.implied else b"") + attributes + b"\0"
    device = entry.status.st_rdev if entry.status else 0
    return head + b"%d\0" % device


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
