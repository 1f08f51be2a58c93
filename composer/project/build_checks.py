"""Checks of `build` sections: images that are built from each other."""

from __future__ import annotations

from collections.abc import Iterator

from composer.project.circles import circles
from composer.project.document import Mapping, Mark, Scalar
from composer.project.merged import entries_of, services_of
from composer.project.report import Report

_SERVICE = "service:"


def context_circles(tree: Mapping, report: Report) -> None:
    """`additional_contexts: {name: service:OTHER}`: no image may be built from itself."""
    for circle in circles({name: list(_contexts(service)) for name, service in services_of(tree).items()}):
        message = f"services.{circle.last}.build.additional_contexts: images in a circle: {circle}"
        report.error(message, circle.closing, hint="an image cannot be built from one that is built from it")


def _contexts(service: Mapping) -> Iterator[tuple[str, Mark]]:
    build = service.get("build")
    contexts = entries_of(build, "additional_contexts") if isinstance(build, Mapping) else {}
    for value in contexts.values():
        if isinstance(value, Scalar) and str(value.value).startswith(_SERVICE):
            yield str(value.value).removeprefix(_SERVICE), value.mark
