"""Finding an instruction's sources in a tree, as BuildKit does.

A source is resolved from the tree's root whatever it begins with; links in it and at its end are followed inside the tree.
Wildcards are those of `filepath.Match`; links are not followed below the first name that has one, but a match that is a link
is. A directory stands for its content. With `parents` what matches keeps its path below the root, or below the pivot `/./`;
then, and in `excludes`, patterns are those of .dockerignore. See <https://docs.docker.com/reference/dockerfile/#copy>.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace

from composer.build.files.archive import is_archive
from composer.build.files.entry import Entry, walk
from composer.build.files.failures import FilesError, Reason, shown, while_reading
from composer.build.files.filter import filtered
from composer.build.files.missing import missing
from composer.build.files.selection import Item, Selection, digest_of
from composer.build.files.tree import Tree
from composer.build.files.wildcard import compile_name, has_wildcards
from composer.ignore import DockerPatterns


def select(
    tree: Tree,
    sources: Sequence[str],
    *,
    parents: bool = False,
    excludes: Sequence[str] = (),
    unpack: bool = False,
    owners: bool = True,
) -> Selection:
    """What `sources` are, with the contents of all files known.

    `unpack` makes files that are archives be unpacked (ADD); `owners` off says that the owners will be others (--chown).
    Blocks while files are read and hashed; safe to be called from several threads, which then wait for each other.

    Raises FilesError: a source that is not there, ignored, outside, a socket; a malformed pattern; a file or directory
    that cannot be read, or that changes meanwhile.
    """
    asked = (tuple(sources), parents, tuple(excludes), unpack, owners)
    with tree.lock:
        if asked not in tree.selections:
            tree.selections[asked] = _select(tree, *asked)
        return tree.selections[asked]


def _select(
    tree: Tree, sources: Sequence[str], parents: bool, excludes: Sequence[str], unpack: bool, owners: bool
) -> Selection:
    items: list[Item] = []
    unmatched: list[str] = []
    exclude = _patterns(excludes)
    for source in sources:
        found = list(_parents(tree, source, exclude) if parents else _plain(tree, source, exclude))
        if not found and has_wildcards(source):
            unmatched.append(source)
        items += found
    for item in items:
        everything = walk(item.entry)
        _check(item, everything)
        tree.hash(item.path, everything)
    if unpack:
        items = [replace(item, archive=item.entry.is_file and is_archive(tree, item)) for item in items]
    return Selection(tuple(items), tree, digest_of(items, owners=owners), tuple(unmatched))


def _plain(tree: Tree, source: str, exclude: DockerPatterns) -> Iterator[Item]:
    for path in _matches(tree, source):
        resolved = tree.resolve(path)
        if resolved.entry is None:
            raise missing(tree, source, resolved)
        if resolved.entry.is_directory:
            tree.fill(resolved.entry, resolved.path)
            entry = filtered(resolved.entry, None, exclude)
        elif has_wildcards(source) and exclude.matches(posixpath.basename(path)):
            continue
        else:
            entry = resolved.entry
        yield Item(posixpath.basename(path), resolved.path, entry)


def _parents(tree: Tree, source: str, exclude: DockerPatterns) -> Iterator[Item]:
    pivot, found, pattern = source.partition("/./")
    if not found:
        pivot, pattern = "/", source
    pattern = _normal(pattern)
    if not has_wildcards(pivot) and not has_wildcards(pattern):
        path = posixpath.join(_normal(pivot), pattern)
        resolved = tree.resolve(path)
        if resolved.entry is None:
            raise missing(tree, source, resolved)
    include = _patterns([pattern]) if pattern else None
    for place in _matches(tree, pivot):
        resolved = tree.resolve(place)
        if resolved.entry is None:
            raise missing(tree, source, resolved)
        if not resolved.entry.is_directory:
            yield Item(posixpath.basename(place), resolved.path, resolved.entry)
            continue
        _fill_what_matches(tree, resolved.entry, resolved.path, "", include)
        entry = filtered(resolved.entry, include, exclude)
        if entry.children:
            yield Item("", resolved.path, entry)


def _fill_what_matches(tree: Tree, entry: Entry, path: str, below: str, include: DockerPatterns | None) -> None:
    """Look at everything that `include` may match, and no further."""
    if include is None or (below and include.matches(below)):
        tree.fill(entry, path)
        return
    for name, child in tree.children(entry, path).items():
        here = f"{below}/{name}" if below else name
        if child.is_directory and (include.matches(here) or include.reaches_below(here)):
            _fill_what_matches(tree, child, f"{path}/{name}" if path else name, here, include)


def _matches(tree: Tree, source: str) -> list[str]:
    """The paths that a source stands for, sorted; itself where it has no wildcards."""
    path = _normal(source)
    parts = path.split("/")
    first = next((index for index, part in enumerate(parts) if has_wildcards(part)), None)
    if first is None:
        return [path]
    try:
        patterns = [compile_name(part) for part in parts[first:]]
    except ValueError as error:
        raise FilesError(Reason.PATTERN, f"`{shown(source)}`: {error}", path=source) from error
    above = tree.resolve("/".join(parts[:first]))
    if above.entry is None or not above.entry.is_directory:
        return []
    found = [(above.path, above.entry)]
    for pattern in patterns:
        found = [
            (f"{place}/{name}" if place else name, child)
            for place, entry in found
            if entry.is_directory
            for name, child in sorted(tree.children(entry, place).items())
            if pattern.fullmatch(name)
        ]
    return [place for place, _ in found]


def _normal(source: str) -> str:
    """A source as a path below the root: without `.`, outer slashes, and `..` that would lead out."""
    return posixpath.normpath("/" + source).lstrip("/")


def _patterns(texts: Sequence[str]) -> DockerPatterns:
    try:
        return DockerPatterns(texts)
    except ValueError as error:
        raise FilesError(Reason.PATTERN, str(error)) from error


def _check(item: Item, everything: Sequence[tuple[str, Entry]]) -> None:
    if item.entry.is_socket:
        message = f"`{shown(item.path)}`: is a socket, which means nothing in an image"
        raise FilesError(Reason.UNSUPPORTED, message, path=item.path)
    for path, entry in everything:
        if entry.problem:
            where = posixpath.join(item.path, path) or "."
            raise while_reading(where, OSError(entry.problem, os.strerror(entry.problem)))
