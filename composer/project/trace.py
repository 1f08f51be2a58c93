"""What was said before the last word counted: every layer that the merged tree was made of, in the order of merging."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field

from composer.project.document import Mapping, Mark, Node, Path, Sequence


@dataclass(frozen=True, slots=True)
class Layer:
    """One tree that was merged: a file, or the part of one that `extends` or `include` brought in."""

    prefix: Path
    """Where in the project it belongs."""
    tree: Node
    how: str
    """How it came in: "" for a file that the command names."""


@dataclass(slots=True)
class Trace:
    """The layers of one load."""

    layers: list[Layer] = field(default_factory=list)
    templates: dict[Mark, str] = field(default_factory=dict)
    """What stood where variables were filled in."""
    given: dict[str, Dict[str, str]] = field(default_factory=dict)
    """By the file that was included: which file gave it a variable, for those that only that `include` has."""

    def add(self, prefix: Path, tree: Node, how: str = "") -> None:
        """Note a layer; later ones go before it."""
        self.layers.append(Layer(prefix, tree, how))

    def said_at(self, path: Path, merged: Node) -> Iterator[tuple[Node, Mark, str]]:
        """(node, place, how it came in) for every layer that says something at `path`, the last one last; none twice.

        An item of a list is the one that stands there in the tree that was `merged` from the layers.
        """
        seen: set[Mark] = set()
        stands = {end: at(merged, path[: end + 1]) for end, step in enumerate(path) if isinstance(step, int)}
        items = {end: found[1] for end, found in stands.items() if found is not None}
        for layer in self.layers:
            if path[: len(layer.prefix)] != layer.prefix:
                continue
            before = len(layer.prefix)
            found = at(layer.tree, path[before:], {end - before: mark for end, mark in items.items()})
            if found is not None and found[1] not in seen:
                seen.add(found[1])
                yield (*found, layer.how)


def at(tree: Node, path: Path, items: Dict[int, Mark] | None = None) -> tuple[Node, Mark] | None:
    """The node at `path` and where it is written; None where there is nothing.

    With `items`, the step at an index of the path leads to the item of a list that is written at that place.
    """
    mark = tree.mark
    for index, step in enumerate(path):
        match tree:
            case Sequence() if items is not None and index in items:
                found = next((item for item in tree.items if item.mark == items[index]), None)
                if found is None:
                    return None
                tree, mark = found, found.mark
            case Mapping() if isinstance(step, str) and step in tree.entries:
                mark = tree.keys.get(step, tree.entries[step].mark)
                tree = tree.entries[step]
            case Sequence() if isinstance(step, int) and step < len(tree.items):
                tree = tree.items[step]
                mark = tree.mark
            case _:
                return None
    return tree, mark
