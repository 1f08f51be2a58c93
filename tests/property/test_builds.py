"""Builds that stand on each other, in any project, interrupted anywhere: the next request finishes them."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from composer.api.messages import Event
from composer.clock import SystemClock
from composer.engine.acquire import acquire
from composer.engine.building.builds import Buildable, buildables, needed
from composer.engine.execute import execute, perform
from composer.engine.plan import Plan
from composer.image.image import Image
from composer.oci.config import ImageConfig
from composer.oci.reference import parse
from composer.project.model import Build, Project, Service
from tests.fakes.world import FakeWorld

THERE = ImageConfig("amd64", "linux")
NAMES = ("base", "tools", "web", "worker", "jobs")
CONTEXTS = ("/a", "/b")

steady = settings(max_examples=80)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Services that build on earlier ones, some of them the same way, some with a name that can be pulled too."""
    services: dict[str, Service] = {}
    for index, name in enumerate(NAMES[: draw(st.integers(1, len(NAMES)))]):
        below = draw(st.frozensets(st.sampled_from(NAMES[:index]))) if index else frozenset()
        build = Build(
            context=draw(st.sampled_from(CONTEXTS)),
            additional_contexts={each: f"service:{each}" for each in sorted(below)},
        )
        image = draw(st.sampled_from((None, f"example/{name}")))
        services[name] = Service(name=name, image=image, build=build)
    return Project(name="shop", working_dir="/p", services=services)


def world_of(project: Project) -> FakeWorld:
    names = {name: service.image for name, service in project.services.items() if service.image}
    return FakeWorld(project.name, image_names=names)


def plan(project: Project, world: FakeWorld, stale: dict[str, str]) -> Plan:
    services = tuple(project.services.values())
    found = {name: Image(image, parse(name), None, THERE, ()) for name, image in world.images.items()}
    pulls = acquire(services, found, policy="policy", now=0.0, locate=lambda _: "")
    wanted = buildables(project, services)
    builds = needed(wanted, mode="auto", found=world.images, pulls=pulls, stale=stale, locate=lambda _: "")
    return Plan((*pulls, *builds))


def carry_out(plan: Plan, world: FakeWorld) -> None:
    events: list[Event] = []
    asyncio.run(execute(plan, world, events.append, SystemClock()))


def some(data: st.DataObject, wanted: tuple[Buildable, ...]) -> dict[str, str]:
    chosen = data.draw(st.frozensets(st.sampled_from([each.service for each in wanted])), label="stale")
    return {name: f"{name}.txt changed" for name in sorted(chosen)}


def everything_is_there(project: Project, world: FakeWorld) -> bool:
    wanted = buildables(project, project.services.values())
    return all(reference in world.images for each in wanted for reference in each.references)


@steady
@given(projects())
def test_a_request_builds_what_is_missing_and_the_next_one_nothing(project: Project) -> None:
    world = world_of(project)

    carry_out(plan(project, world, {}), world)

    assert everything_is_there(project, world)
    assert not plan(project, world, {})


@steady
@given(projects(), st.data())
def test_what_is_stale_is_built_again_and_all_that_stands_on_it(project: Project, data: st.DataObject) -> None:
    world = world_of(project)
    carry_out(plan(project, world, {}), world)
    wanted = buildables(project, project.services.values())
    stale = some(data, wanted)
    world.log.clear()

    carry_out(plan(project, world, stale), world)

    concerned = set(stale)
    for each in wanted:  # in an order in which each stands after all it needs
        if concerned.intersection(each.needs):
            concerned.add(each.service)
    assert sorted(world.log) == sorted(f"build {name}" for name in concerned)


@steady
@given(projects(), st.data())
def test_builds_that_were_interrupted_are_finished_by_the_next_request(project: Project, data: st.DataObject) -> None:
    world = world_of(project)
    left = {node.id: node for node in plan(project, world, {})}
    for _ in range(data.draw(st.integers(0, len(left)), label="steps before the crash")):
        ready = [node for node in left.values() if left.keys().isdisjoint(node.needs)]
        node = data.draw(st.sampled_from(ready), label="next")
        asyncio.run(perform(left.pop(node.id).operation, world))

    carry_out(plan(project, world, {}), world)

    assert everything_is_there(project, world)
    assert not plan(project, world, {})
