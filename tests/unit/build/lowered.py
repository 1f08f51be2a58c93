"""Dockerfiles lowered as a build does it, and shown as text: one line a vertex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.stages import link
from composer.build.lower import Wanted, lower
from composer.build.operations import BaseOperation, CopyOperation, Graph, RunOperation, Vertex, WorkdirOperation
from composer.build.options import BuildOptions
from composer.image.image import Image
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform

AMD64 = Platform("amd64", "linux")


def image(**config: Any) -> Image:
    """An image with this configuration and no layers."""
    return Image("sha256:" + "0" * 64, None, None, ImageConfig("amd64", "linux", **config), ())


def result_of(dockerfile: str, images: Mapping[str, Image] | None = None, **options: Any) -> Graph | tuple[Wanted, ...]:
    """What `lower` gives; `images` by the name in FROM."""
    asked = BuildOptions("/context", **options)
    stages = link(
        parse(dockerfile),
        args=asked.args,
        build=AMD64,
        platform=AMD64,
        target=asked.target,
        contexts=asked.contexts,
    )
    return lower(stages, asked, AMD64, {(name, ""): each for name, each in (images or {}).items()})


def lowered(dockerfile: str, images: Mapping[str, Image] | None = None, **options: Any) -> Graph:
    """The graph; `base` is an image without anything."""
    graph = result_of(dockerfile, {"base": image(), **(images or {})}, **options)
    assert isinstance(graph, Graph)
    return graph


def run_of(graph: Graph, number: int = 0) -> RunOperation:
    """The RUN with this number, in the order of the graph."""
    return [one.operation for one in graph.vertices if isinstance(one.operation, RunOperation)][number]


def show(graph: Graph) -> str:
    """The vertices, a line each."""
    return "".join(f"{_line(vertex)}\n" for vertex in graph.vertices)


def said(graph: Graph) -> list[str]:
    """The new entries of the history."""
    return [change.created_by for change in graph.changes]


def _line(vertex: Vertex) -> str:
    base = f" on {vertex.base}" if vertex.base >= 0 else ""
    match vertex.operation:
        case BaseOperation(image=known):
            what = "image" if known else "nothing"
        case WorkdirOperation(path, user):
            what = f"mkdir {path}" + (f" for {user}" if user else "")
        case CopyOperation(parts=parts, destination=destination):
            sources = [
                f"{part.source.kind}{part.source.vertex if part.source.vertex >= 0 else part.source.name and ':'}"
                f"{part.source.name}({' '.join(part.patterns)})"
                for part in parts
            ]
            what = f"copy {' '.join(sources)} to {destination}"
        case RunOperation(argv=argv):
            what = f"run {argv[-1]}"
        case _:
            assert_never(vertex.operation)
    return f"{vertex.id}{base}: {what}"
