from __future__ import annotations

import asyncio
import copy
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from composer.api.messages import DownRequest, Event, ServicesRequest, UpOptions
from composer.clock import SystemClock
from composer.engine.execute import execute, perform
from composer.engine.plan import AwaitCondition, CreateContainer, Plan, StartContainer
from composer.engine.reconcile import reconcile
from composer.engine.teardown import down, verb
from composer.engine.world import Condition, Desired, Health, State
from tests.fakes.world import FakeWorld
from tests.property.strategies_engine import PROJECT, Scene, scenes

UP = UpOptions(remove_orphans=True)

# The same examples on every run: a failure here is one of the change under test, and can be looked at again.
steady = settings(max_examples=60)

options = st.builds(
    UpOptions,
    force_recreate=st.booleans(),
    renew_anonymous_volumes=st.booleans(),
    remove_orphans=st.just(True),
    wait=st.booleans(),
)


def carry_out(plan: Plan, world: FakeWorld) -> None:
    events: list[Event] = []
    asyncio.run(execute(plan, world, events.append, SystemClock()))


def up(world: FakeWorld, desired: Desired, chosen: UpOptions = UP) -> None:
    carry_out(reconcile(desired, world.observed(), chosen), world)


def crash(plan: Plan, world: FakeWorld, data: st.DataObject) -> None:
    """Carry out some of the plan: any part of it that a parallel execution may have done when it dies."""
    left = {node.id: node for node in plan}
    steps = data.draw(st.integers(0, len(left)), label="steps before the crash")
    done = []
    for _ in range(steps):
        ready = [node.id for node in left.values() if left.keys().isdisjoint(node.needs)]
        done.append(left.pop(data.draw(st.sampled_from(ready), label="next")))

    async def perform_all() -> None:
        for node in done:
            await perform(node.operation, world)

    asyncio.run(perform_all())
    torn = [node.operation for node in left.values() if left.keys().isdisjoint(node.needs)]
    recreations = [operation for operation in torn if isinstance(operation, CreateContainer) and operation.replaces]
    if recreations:
        in_the_middle: bool = data.draw(st.booleans(), label="in the middle of one")
        if in_the_middle:
            world.create_half(recreations[0])


def assert_is(world: FakeWorld, scene: Scene) -> None:
    """The world is what the scene desires: nothing missing, nothing more."""
    desired = scene.desired
    assert {container.name for container in world.containers.values()} == {one.name for one in desired.containers}
    for wanted in desired.containers:
        there = world.by_name(wanted.name)
        assert there.config_hash == wanted.config_hash
        if wanted.service in scene.one_shots:
            assert (there.state, there.exit_code) == (State.EXITED, 0)
            continue
        assert there.state is State.RUNNING
        for place in wanted.config.networks:
            assert there.networks[place.network] == world.networks[place.network].id
        if wanted.config.network_mode:
            partner = wanted.config.network_mode.removeprefix("service:")
            assert there.joined == world.by_name(f"{PROJECT}-{partner}-1").id
        needs = [need for one in desired.containers for need in one.needs if need.service == wanted.service]
        awaited = any(need.condition is Condition.HEALTHY for need in needs)
        assert not awaited or there.health is Health.HEALTHY
    for name, network in desired.networks.items():
        assert world.networks[name].alive
        assert world.networks[name].wanted_subnet == network.subnet
        assert world.networks[name].internal == network.internal
    assert desired.volumes.keys() <= world.volumes.keys()


def assert_rests(world: FakeWorld, scene: Scene) -> None:
    """Another `up` has nothing to do, but to run one-shots again."""
    for node in reconcile(scene.desired, world.observed(), UP):
        assert isinstance(node.operation, StartContainer | AwaitCondition), node
        assert node.operation.service in scene.one_shots, node


@steady
@given(scenes())
def test_up_reaches_what_is_desired_and_then_rests(scene: Scene) -> None:
    world = FakeWorld(PROJECT)

    up(world, scene.desired)

    assert_is(world, scene)
    assert_rests(world, scene)


@steady
@given(scenes(), scenes(), options)
def test_up_leads_from_any_project_to_any_other(before: Scene, after: Scene, chosen: UpOptions) -> None:
    world = FakeWorld(PROJECT)
    up(world, before.desired)

    up(world, after.desired, chosen)

    assert_is(world, after)
    assert_rests(world, after)


@steady
@given(scenes(), scenes(), options, st.data())
def test_a_crash_after_any_step_is_healed_by_the_next_up(
    before: Scene, after: Scene, chosen: UpOptions, data: st.DataObject
) -> None:
    world = FakeWorld(PROJECT)
    up(world, before.desired)

    crash(reconcile(after.desired, world.observed(), chosen), world, data)
    up(world, after.desired)

    assert_is(world, after)
    assert_rests(world, after)


@steady
@given(scenes(), scenes(), scenes(), st.data())
def test_a_crash_is_healed_by_an_up_that_wants_something_else(
    before: Scene, between: Scene, after: Scene, data: st.DataObject
) -> None:
    world = FakeWorld(PROJECT)
    up(world, before.desired)

    crash(reconcile(between.desired, world.observed(), UP), world, data)
    up(world, after.desired)

    assert_is(world, after)
    assert_rests(world, after)


@steady
@given(scenes(), st.data())
def test_whatever_befalls_the_containers_is_put_right(scene: Scene, data: st.DataObject) -> None:
    world = FakeWorld(PROJECT)
    up(world, scene.desired)
    for container in list(world.containers.values()):
        match data.draw(st.sampled_from(("spare", "exit", "remove")), label=container.name):
            case "exit":
                world.exit(container.name, 1)
            case "remove":
                world.exit(container.name, 1)
                del world.containers[container.id]
                del world.anonymous[container.id]
            case _:
                pass
    if data.draw(st.booleans(), label="reboot"):
        world.reboot()

    up(world, scene.desired)

    assert_is(world, scene)
    assert_rests(world, scene)


@steady
@given(scenes(), scenes(), st.data())
def test_anonymous_volumes_outlive_every_recreation(before: Scene, after: Scene, data: st.DataObject) -> None:
    world = FakeWorld(PROJECT)
    up(world, before.desired)
    held = {c.name: dict(world.anonymous[c.id]) for c in world.containers.values()}

    crash(reconcile(after.desired, world.observed(), UP), world, data)
    up(world, after.desired)

    for container in world.containers.values():
        for target, name in world.anonymous[container.id].items():
            assert held.get(container.name, {}).get(target, name) == name
            assert name in world.volumes


@steady
@given(scenes(), scenes(), options)
def test_a_plan_is_the_same_text_every_time_and_in_an_order_that_can_be_carried_out(
    before: Scene, after: Scene, chosen: UpOptions
) -> None:
    world = FakeWorld(PROJECT)
    up(world, before.desired)
    plan = reconcile(after.desired, world.observed(), chosen)

    assert str(plan) == str(reconcile(copy.deepcopy(after.desired), copy.deepcopy(world.observed()), chosen))
    seen: set[str] = set()
    for node in plan:
        assert set(node.needs) <= seen
        assert node.id not in seen
        assert node.cause
        seen.add(node.id)


@steady
@given(scenes(), st.data())
def test_what_the_request_is_not_about_is_left_alone(scene: Scene, data: st.DataObject) -> None:
    world = FakeWorld(PROJECT)
    up(world, scene.desired)
    others = data.draw(st.sampled_from(sorted(scene.desired.scope)))
    changed = replace(
        scene.desired,
        containers=tuple(one for one in scene.desired.containers if one.service != others),
        scope=scene.desired.scope - {others},
        explicit=scene.desired.scope - {others},
    )
    before = {c.id for c in world.containers.values() if c.service == others}

    up(world, changed, UpOptions(force_recreate=True))

    left = [container for container in world.containers.values() if container.service == others]
    assert before == {container.id for container in left}
    assert all(container.state is State.RUNNING or others in scene.one_shots for container in left)


@steady
@given(scenes(), scenes(), st.data())
def test_down_leaves_nothing_of_the_project_wherever_an_up_has_crashed(
    before: Scene, after: Scene, data: st.DataObject
) -> None:
    world = FakeWorld(PROJECT)
    up(world, before.desired)
    crash(reconcile(after.desired, world.observed(), UP), world, data)

    carry_out(down(world.observed(), PROJECT, DownRequest(volumes=True)), world)

    assert (world.containers, world.networks) == ({}, {})
    # What a container that went before has left behind anonymously is nobody's any more, as with Docker.
    assert all(volume.anonymous for volume in world.volumes.values())
    assert not down(world.observed(), PROJECT, DownRequest(volumes=True))


@steady
@given(scenes(), st.data())
def test_a_crash_during_down_is_healed_by_the_next_one_and_by_up(scene: Scene, data: st.DataObject) -> None:
    world = FakeWorld(PROJECT)
    up(world, scene.desired)
    crash(down(world.observed(), PROJECT, DownRequest()), world, data)

    if data.draw(st.booleans(), label="down"):
        carry_out(down(world.observed(), PROJECT, DownRequest()), world)
        assert (world.containers, world.networks) == ({}, {})
        assert scene.desired.volumes.keys() <= world.volumes.keys()
    up(world, scene.desired)

    assert_is(world, scene)
    assert_rests(world, scene)


@steady
@given(scenes(), st.sampled_from(("stop", "restart")), st.data())
def test_stop_and_start_or_restart_bring_back_what_was(scene: Scene, how: str, data: st.DataObject) -> None:
    assume(scene.desired.containers)
    world = FakeWorld(PROJECT)
    up(world, scene.desired)
    request = ServicesRequest()

    crash(verb(how, world.observed(), request), world, data)
    if how == "stop":
        carry_out(verb("stop", world.observed(), request), world)
        assert all(container.state is State.EXITED for container in world.containers.values())
        assert not verb("stop", world.observed(), request)
        carry_out(verb("start", world.observed(), request), world)
    else:
        carry_out(verb("restart", world.observed(), request), world)

    assert_is(world, scene)
    assert_rests(world, scene)
