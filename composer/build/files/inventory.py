"""What is in a tree or a selection, name by name: for saying which file made the difference."""

from __future__ import annotations

from collections.abc import Iterator

from composer.build.files.entry import Entry, walk
from composer.build.files.selection import Selection
from composer.build.files.tree import Tree


def inventory(tree: Tree) -> dict[str, str]:
    """Everything in a tree by path, each with a text that differs once it is another; times do not count.

    Blocks while files are hashed that are not known yet; those that cannot be read say so in their text. Raises FilesError
    where the tree itself cannot be read.
    """
    with tree.lock:
        tree.fill(tree.root, "")
        everything = walk(tree.root)[1:]
        tree.hash("", everything, tolerant=True)
    return {path: _text(entry) for path, entry in everything if not entry.is_socket}


def selected(selection: Selection) -> dict[str, str]:
    """The same for what an instruction selected, by path in its tree."""
    return dict(_selected(selection))


def differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The paths that are not the same in both, sorted."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _selected(selection: Selection) -> Iterator[tuple[str, str]]:
    for item in selection.items:
        prefix = f"{item.path}/" if item.path else ""
        for path, entry in walk(item.entry):
            if path or not entry.is_directory:
                yield prefix + path if path else item.path, _text(entry)


def _text(entry: Entry) -> str:
    content = entry.content.hex() or entry.link
    text = f"{entry.mode:o} {entry.uid}:{entry.gid} {content}"
    if entry.attributes:
        text += "".join(f" {name}={value.hex()}" for name, value in entry.attributes)
    return f"{text} !{entry.problem}" if entry.problem else text
