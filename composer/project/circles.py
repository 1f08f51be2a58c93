"""Circles in what services ask of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Circle(NamedTuple, Generic[T]):
    """A way that leads back to where it began."""

    steps: tuple[str, ...]
    """The first of them is the last one too."""
    closing: T
    """What the edge is known by that leads back."""

    def __str__(self) -> str:
        return " → ".join(f"`{step}`" for step in self.steps)

    @property
    def last(self) -> str:
        """Where the edge begins that leads back."""
        return self.steps[-2]


def circles(edges: Mapping[str, Sequence[tuple[str, T]]]) -> Iterator[Circle[T]]:
    """Each circle of a graph once. `edges` are by where they begin: where they lead, and what each is known by.

    What begins no edges may be left out of them.
    """
    done: set[str] = set()
    for start in edges:
        yield from _from(start, edges, done)


def _from(start: str, edges: Mapping[str, Sequence[tuple[str, T]]], done: set[str]) -> Iterator[Circle[T]]:
    # With a stack of its own: a chain may be longer than Python's recursion goes.
    stack = [(start, iter(edges[start]))] if start not in done else []
    trail = [start] if stack else []
    while stack:
        name, rest = stack[-1]
        for other, known_by in rest:
            if other in trail:
                yield Circle((*trail[trail.index(other) :], other), known_by)
            elif other in edges and other not in done:
                trail.append(other)
                stack.append((other, iter(edges[other])))
                break
        else:
            done.add(name)
            stack.pop()
            trail.pop()
