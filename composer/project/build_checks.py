"""Checks of `build` sections: images that are built from each other."""

from __future__ import annotations

from collections.abc import Iterator

from composer.project.document import Mapping, Mark, Scalar
from composer.project.merged import entries_of, services_of
from composer.project.report import Report

_SERVICE = "service:"


def context_circles(tree: Mapping, report: Report) -> None:
    """`additional_contexts: {name: service:OTHER}`: no image may be built from itself."""
    edges = {name: list(_contexts(service)) for name, service in services_of(tree).items()}
    done: set[str] = set()
    for name in edges:
        _follow(name, edges, done, report)


def _contexts(service: Mapping) -> Iterator[tuple[str, Mark]]:
    build = service.get("build")
    contexts = entries_of(build, "additional_contexts") if isinstance(build, Mapping) else {}
    for value in contexts.values():
        if isinstance(value, Scalar) and str(value.value).startswith(_SERVICE):
            yield str(value.value).removeprefix(_SERVICE), value.mark


def _follow(start: str, edges: dict[str, list[tuple[str, Mark]]], done: set[str], report: Report) -> None:
    # With a stack of its own: a chain may be longer than Python's recursion goes.
    stack = [(start, iter(edges[start]))] if start not in done else []
    trail = [start] if stack else []
    while stack:
        name, rest = stack[-1]
        for other, mark in rest:
            if other in trail:
                circle = " → ".join(f"`{step}`" for step in (*trail[trail.index(other) :], other))
                message = f"services.{name}.build.additional_contexts: images in a circle: {circle}"
                report.error(message, mark, hint="an image cannot be built from one that is built from it")
            elif other in edges and other not in done:
                trail.append(other)
                stack.append((other, iter(edges[other])))
                break
        else:
            done.add(name)
            stack.pop()
            trail.pop()
