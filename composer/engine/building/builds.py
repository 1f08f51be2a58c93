"""Which images a request has to build, in the order in which they stand on each other.

Pure. Services that describe the same image share one build. A context `service:NAME` is a dependency, and so is an image of
NAME that a Dockerfile names: what NAME builds comes first. Whether an image that is there is still what its inputs make says
`freshness`; when that is asked is the request's to say:

    auto        missing images, and those whose inputs have changed
    definition  the same, files of contexts apart (a watch brings these itself, and says when to rebuild)
    missing     missing ones only
    always      all (`--build`)
    never       none (`--no-build`)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from composer.engine.building.freshness import Locate
from composer.engine.configure import image_reference
from composer.engine.plan import BuildImage, Node, Plan
from composer.image.host import is_reserved
from composer.project.model import Build, Project, Service

CONTEXT_OF = "service:"


@dataclass(frozen=True, slots=True)
class Buildable:
    """One image that `build` sections describe."""

    service: str
    """The first of the services that share it."""
    services: tuple[str, ...]
    """All of them."""
    references: tuple[str, ...]
    """What its services call it, the first's name first."""
    build: Build
    platform: str = ""
    needs: tuple[str, ...] = ()
    """The buildables, by service, that it takes files from."""
    pull_policy: str = ""

    def operation(self, *, if_missing: bool = False, every_platform: bool = False) -> BuildImage:
        """The build as an operation."""
        return BuildImage(self.service, self.references, self.build, self.platform, if_missing, every_platform)


def buildables(
    project: Project, services: Iterable[Service], bases: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> tuple[Buildable, ...]:
    """What these services build, and what that is built from, in an order in which each stands after all it needs.

    `bases` are the services whose images Dockerfiles name, by the service that is built upon them.
    """
    every = {**project.services, **project.disabled}
    chosen: dict[str, Service] = {}

    def choose(service: Service, trail: tuple[str, ...]) -> None:
        if service.build is None or service.name in chosen or service.name in trail:
            return  # a circle is refused when the file is loaded; here it must only not hang
        for name in _needs(service, bases):
            if name in every:
                choose(every[name], (*trail, service.name))
        chosen[service.name] = service

    for service in services:
        choose(service, ())
    shared: dict[tuple[str, str], list[Service]] = {}
    for service in chosen.values():
        assert service.build is not None
        shared.setdefault((service.build.model_dump_json(), service.platform or ""), []).append(service)
    first = {service.name: group[0].name for group in shared.values() for service in group}
    return tuple(_buildable(project, group, first, bases) for group in shared.values())


def _needs(service: Service, bases: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    assert service.build is not None
    return tuple(dict.fromkeys((*built_from(service.build), *bases.get(service.name, ()))))


def built_from(build: Build) -> tuple[str, ...]:
    """The services whose images are contexts of a build."""
    contexts = build.additional_contexts.values()
    return tuple(dict.fromkeys(each.removeprefix(CONTEXT_OF) for each in contexts if each.startswith(CONTEXT_OF)))


def needed(
    wanted: Sequence[Buildable],
    *,
    mode: str,
    found: Collection[str],
    pulls: Plan,
    stale: Mapping[str, str],
    locate: Locate,
) -> Plan:
    """The builds that a request takes: `found` are the references there are, `stale` says by service why one is old."""
    if mode == "never":
        return Plan()
    pulled = {node.id for node in pulls}
    nodes: dict[str, Node] = {}
    for each in wanted:
        missing = any(reference not in found for reference in each.references)
        before = tuple(f"build/{name}" for name in each.needs if name in nodes)
        first = [f"pull/{reference}" for reference in each.references if f"pull/{reference}" in pulled]
        if cause := _cause(
            each, mode, stale, locate, missing=missing, remade=[name for name in each.needs if name in nodes]
        ):
            only = missing and bool(first) and mode != "always"
            nodes[each.service] = Node(
                f"build/{each.service}", each.operation(if_missing=only), cause, (*before, *first)
            )
    return Plan(tuple(nodes.values()))


def contested(wanted: Iterable[Buildable]) -> dict[str, tuple[str, ...]]:
    """The names that several builds give different images, with the services whose builds these are."""
    claims: dict[str, list[str]] = {}
    for each in wanted:
        for reference in each.references:
            claims.setdefault(reference, []).append(each.service)
    return {reference: tuple(services) for reference, services in claims.items() if len(services) > 1}


def every(wanted: Sequence[Buildable], cause: str, *, every_platform: bool = False) -> Plan:
    """All of these builds, whatever is there."""
    nodes = needed(wanted, mode="always", found=(), pulls=Plan(), stale={}, locate=lambda _: "")
    operations = {each.service: each.operation(every_platform=every_platform) for each in wanted}
    return Plan(
        tuple(
            replace(node, cause=cause, operation=operations[node.operation.service])
            for node in nodes
            if isinstance(node.operation, BuildImage)
        )
    )


def _cause(
    each: Buildable, mode: str, stale: Mapping[str, str], locate: Locate, *, missing: bool, remade: Sequence[str]
) -> str:
    """Why `each` is to be built; "" where it is not."""
    if mode == "always":
        return "`--build`"
    if each.pull_policy == "build" and mode == "auto":
        return f"pull_policy: build{_place(each, 'pull_policy', locate)}"
    if missing:
        return f"missing{_place(each, 'build', locate)}"
    if mode == "missing":
        return ""
    return stale.get(each.service, "") or (f"{remade[0]} is built again" if remade else "")


def _place(each: Buildable, attribute: str, locate: Locate) -> str:
    place = locate(("services", each.service, attribute))
    return f", {place}" if place else ""


def _buildable(
    project: Project, group: Sequence[Service], first: Mapping[str, str], bases: Mapping[str, Sequence[str]]
) -> Buildable:
    service = group[0]
    assert service.build is not None
    references = dict.fromkeys(image_reference(project, each) for each in group)
    return Buildable(
        service=service.name,
        services=tuple(each.name for each in group),
        references=tuple(reference for reference in references if not is_reserved(reference)),
        build=service.build,
        platform=service.platform or "",
        needs=tuple(dict.fromkeys(first[name] for name in _needs(service, bases) if name in first)),
        pull_policy=next((each.pull_policy for each in group if each.pull_policy), ""),
    )
