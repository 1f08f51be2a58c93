"""A plan while it is written: nodes in any order, needs on nodes that may never come."""

from __future__ import annotations

from collections.abc import Iterable

from composer.engine.plan import Node, Operation, Plan
from composer.errors import UsageError


class Draft:
    """Collects nodes and warnings; `finish` puts them into an order in which each node stands after what it needs."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._warnings: dict[str, None] = {}

    def __contains__(self, node_id: str) -> bool:
        return node_id in self._nodes

    def add(self, node_id: str, operation: Operation, cause: str, needs: Iterable[str] = ()) -> str:
        """Write a node down; the first of an id stays. Needs on what the plan does not contain are dropped at the end."""
        self._nodes.setdefault(node_id, Node(node_id, operation, cause, tuple(needs)))
        return node_id

    def warn(self, text: str) -> None:
        """Write a warning down, once."""
        self._warnings[text] = None

    def finish(self, *, break_circles: bool = False) -> Plan:
        """The plan: as written, but for nodes that must stand after a later one.

        With `break_circles` the need that closes a circle is dropped, for plans whose order is a courtesy.

        Raises:
            UsageError: a circle, which only container names that are swapped between services can make.
        """
        ordered: dict[str, Node] = {}
        trail: list[str] = []

        def place(node: Node) -> None:
            if node.id in ordered:
                return
            if node.id in trail:
                if break_circles:
                    return
                circle = " -> ".join([*trail[trail.index(node.id) :], node.id])
                raise UsageError(f"cannot order the plan: {circle}", hint="make the change in two steps")
            trail.append(node.id)
            needs = tuple(dict.fromkeys(need for need in node.needs if need in self._nodes))
            for need in needs:
                place(self._nodes[need])
            trail.pop()
            # What has no place yet is still on the trail: a circle that is to be broken here.
            ordered[node.id] = Node(node.id, node.operation, node.cause, tuple(n for n in needs if n in ordered))

        for node in self._nodes.values():
            place(node)
        return Plan(tuple(ordered.values()), tuple(self._warnings))
