"""What was said before the last word counted: every layer that the merged tree was made of, in the order of merging."""

from __future__ import annotations

from collections.abc import Iterator
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

    def add(self, prefix: Path, tree: Node, how: str = "") -> None:
        """Note a layer; later ones go before it."""
        self.layers.append(Layer(prefix, tree, how))

    def said_at(self, path: Path) -> Iterator[tuple[Node, Mark, str]]:
        """(node, place, how it came in) for every layer that says something at `path`, the last one last; none twice."""
        seen: set[Mark] = set()
        for layer in self.layers:
            if path[: len(layer.prefix)] != layer.prefix:
                continue
            found = at(layer.tree, path[len(layer.prefix) :])
            if found is not None and found[1] not in seen:
                seen.add(found[1])
                yield (*found, layer.how)


def at(tree: Node, path: Path) -> tuple[Node, Mark] | None:
    """The node at `path` and where it is written; None where there is nothing."""
    mark = tree.mark
    for step in path:
        match tree:
            case Mapping() if isinstance(step, str) and step in tree.entries:
                mark = tree.keys.get(step, tree.entries[step].mark)
                tree = tree.entries[step]
            case Sequence() if isinstance(step, int) and step < len(tree.items):
                tree = tree.items[step]
                mark = tree.mark
            case _:
                return None
    return tree, mark
