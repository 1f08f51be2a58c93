from __future__ import annotations

from dataclasses import replace

import pytest

from composer.api.messages import DownRequest, ServicesRequest
from composer.engine.teardown import down, images_of, verb
from composer.engine.world import Observed, ObservedContainer, ObservedNetwork, ObservedVolume
from composer.errors import UsageError
from tests.fakes.world import FakeWorld
from tests.unit.engine.shop import (
    CHECK,
    JOB,
    PROJECT,
    begun,
    completed,
    healthy,
    project,
    service,
    volume,
    world_with,
)

SHOP = project(
    service("db", health=CHECK, mounts=(volume("data"),)),
    service("api", healthy("db"), count=2),
    service("web", begun("api", restart=True)),
)
KNOWN = frozenset({"db", "api", "web"})


def shop() -> FakeWorld:
    return world_with(SHOP)


def stopped() -> FakeWorld:
    world = shop()
    for container in list(world.containers.values()):
        world.exit(container.name)
    return world


def test_down_stops_dependents_first_and_keeps_volumes() -> None:
    assert (
        str(down(shop().observed(), PROJECT, DownRequest(), KNOWN))
        == """\
stop/shop-web-1  (down)
stop/shop-api-1  (down)  after stop/shop-web-1
stop/shop-api-2  (down)  after stop/shop-web-1
stop/shop-db-1  (down)  after stop/shop-api-1, stop/shop-api-2
remove/shop-db-1  (down)  after stop/shop-db-1
remove/shop-api-1  (down)  after stop/shop-api-1
remove/shop-api-2  (down)  after stop/shop-api-2
remove/shop-web-1  (down)  after stop/shop-web-1
remove-network/shop_default  (down)  after remove/shop-db-1, remove/shop-api-1, remove/shop-api-2, remove/shop-web-1"""
    )


def test_down_with_volumes_removes_them_when_nobody_mounts_them_any_more() -> None:
    plan = down(shop().observed(), PROJECT, DownRequest(volumes=True), KNOWN)

    assert str(plan).splitlines()[-1] == "remove-volume/shop_data  (down -v)  after remove/shop-db-1"
    assert all(getattr(node.operation, "volumes", True) for node in plan)


def test_down_of_a_service_leaves_the_others_and_the_networks() -> None:
    assert (
        str(down(shop().observed(), PROJECT, DownRequest(services=("api",), volumes=True), KNOWN))
        == """\
stop/shop-api-1  (down)
remove/shop-api-1  (down)  after stop/shop-api-1
stop/shop-api-2  (down)
remove/shop-api-2  (down)  after stop/shop-api-2"""
    )


def test_down_carries_its_timeout_to_every_stop() -> None:
    plan = down(shop().observed(), PROJECT, DownRequest(timeout=3.0), KNOWN)

    assert {node.operation.timeout for node in plan if node.id.startswith("stop/")} == {3.0}  # type: ignore[union-attr]


def test_down_without_a_file_takes_all_that_is_on_record() -> None:
    plan = down(shop().observed(), PROJECT, DownRequest())

    assert sum(node.id.startswith("remove/") for node in plan) == 4
    assert not plan.warnings


def test_down_leaves_orphans_with_the_network_and_volumes_they_use() -> None:
    plan = down(shop().observed(), PROJECT, DownRequest(volumes=True), frozenset({"api", "web"}))

    assert "shop-db-1" not in str(plan)
    assert "remove-network/shop_default" not in str(plan)
    assert "remove-volume/" not in str(plan)
    assert plan.warnings == (
        "orphan containers of services that the file does not have: `shop-db-1`; see --remove-orphans",
        "network `shop_default` stays: `shop-db-1` use it",
        "volume `shop_data` stays: an orphan container mounts it",
    )


def test_down_with_remove_orphans_takes_them_along() -> None:
    plan = down(shop().observed(), PROJECT, DownRequest(remove_orphans=True), frozenset({"api", "web"}))

    assert "remove/shop-db-1" in str(plan)
    assert not plan.warnings


def test_down_never_touches_what_is_not_of_the_project() -> None:
    observed = replace(
        shop().observed(),
        networks={"theirs": ObservedNetwork("n", "theirs", alive=True, project="other")},
        volumes={"theirs": ObservedVolume("theirs", "other"), "nobodys": ObservedVolume("nobodys")},
    )

    assert "remove-" not in str(down(observed, PROJECT, DownRequest(volumes=True), KNOWN))


def test_down_of_nothing_is_an_empty_plan() -> None:
    assert not down(Observed(), PROJECT, DownRequest(volumes=True), KNOWN)


def test_records_that_contradict_each_other_do_not_keep_a_project_from_going() -> None:
    world = shop()
    database = world.by_name("shop-db-1")
    world.containers[database.id] = replace(database, needs=(begun("web"),))

    for plan in (
        down(world.observed(), PROJECT, DownRequest(), KNOWN),
        verb("stop", world.observed(), ServicesRequest()),
        verb("restart", world.observed(), ServicesRequest()),
    ):
        assert {f"stop/{container.name}" for container in world.containers.values()} <= {node.id for node in plan}


def test_stop_goes_from_dependents_to_dependencies() -> None:
    assert (
        str(verb("stop", shop().observed(), ServicesRequest(timeout=1.0)))
        == """\
stop/shop-web-1  (stop)
stop/shop-api-1  (stop)  after stop/shop-web-1
stop/shop-api-2  (stop)  after stop/shop-web-1
stop/shop-db-1  (stop)  after stop/shop-api-1, stop/shop-api-2"""
    )


def test_stop_of_what_does_not_run_is_an_empty_plan() -> None:
    assert not verb("stop", stopped().observed(), ServicesRequest())


def test_start_goes_from_dependencies_to_dependents_and_awaits_conditions() -> None:
    assert (
        str(verb("start", stopped().observed(), ServicesRequest()))
        == """\
start/shop-db-1  (start)
await/db/service_healthy  (api needs it)  after start/shop-db-1
start/shop-api-1  (start)  after await/db/service_healthy
start/shop-api-2  (start)  after await/db/service_healthy
start/shop-web-1  (start)  after start/shop-api-1, start/shop-api-2"""
    )


def test_start_of_what_runs_is_an_empty_plan() -> None:
    assert not verb("start", shop().observed(), ServicesRequest())


def test_start_where_nothing_was_made_says_so() -> None:
    with pytest.raises(UsageError, match="there is no container to start") as caught:
        verb("start", Observed(), ServicesRequest())

    assert caught.value.hint == "`compose up -d` makes them"


def test_start_with_wait_awaits_health_where_there_is_a_check() -> None:
    plan = verb("start", stopped().observed(), ServicesRequest(services=("db", "web"), wait=True, wait_timeout=9.0))

    assert (
        str(plan)
        == """\
start/shop-db-1  (start)
start/shop-web-1  (start)
wait/shop-db-1  (--wait)  after start/shop-db-1
wait/shop-web-1  (--wait)  after start/shop-web-1"""
    )


def test_an_optional_wait_is_not_taken_for_one_that_is_required() -> None:
    desired = project(
        service("job", arguments=JOB),
        service("a", completed("job", required=False)),
        service("b", completed("job")),
        service("c", begun("job", required=False)),
    )
    world = world_with(desired)
    for name in ("a", "b", "c"):
        world.exit(f"shop-{name}-1")

    awaits = [node for node in verb("start", world.observed(), ServicesRequest()) if node.id.startswith("await/")]

    assert [(node.id, node.operation.required) for node in awaits] == [  # type: ignore[union-attr]
        ("await/job/service_completed_successfully/optional", False),
        ("await/job/service_completed_successfully", True),
        ("await/job/service_started/optional", False),
    ]


def test_restart_takes_those_along_that_restart_with_it() -> None:
    assert (
        str(verb("restart", shop().observed(), ServicesRequest(services=("api",))))
        == """\
stop/shop-web-1  (restart)
stop/shop-api-1  (restart)  after stop/shop-web-1
start/shop-api-1  (restart)  after stop/shop-api-1
stop/shop-api-2  (restart)  after stop/shop-web-1
start/shop-api-2  (restart)  after stop/shop-api-2
start/shop-web-1  (restart)  after stop/shop-web-1, start/shop-api-1, start/shop-api-2"""
    )


def test_restart_reaches_dependents_of_dependents_in_whatever_order_they_are_on_record() -> None:
    chain = project(service("a"), service("b", begun("a", restart=True)), service("c", begun("b", restart=True)))
    observed = world_with(chain).observed()
    backwards = replace(observed, containers=observed.containers[::-1])

    plan = verb("restart", backwards, ServicesRequest(services=("a",)))

    assert {node.id for node in plan if node.id.startswith("start/")} == {f"start/shop-{name}-1" for name in "abc"}


def test_restart_takes_those_along_that_share_the_network() -> None:
    desired = project(service("vpn"), service("app", begun("vpn"), networks=(), network_mode="service:vpn"))

    assert (
        str(verb("restart", world_with(desired).observed(), ServicesRequest(services=("vpn",))))
        == """\
stop/shop-app-1  (restart)
stop/shop-vpn-1  (restart)  after stop/shop-app-1
start/shop-vpn-1  (restart)  after stop/shop-vpn-1
start/shop-app-1  (restart)  after stop/shop-app-1, start/shop-vpn-1"""
    )


def test_restart_without_deps_is_about_the_named_ones_only() -> None:
    plan = verb("restart", shop().observed(), ServicesRequest(services=("api",), no_deps=True))

    assert "shop-web-1" not in str(plan)


def test_restart_starts_what_had_exited() -> None:
    plan = verb("restart", stopped().observed(), ServicesRequest(services=("db",)))

    assert str(plan) == "start/shop-db-1  (restart)"


def test_rm_removes_only_what_does_not_run() -> None:
    world = shop()
    world.exit("shop-web-1")

    assert str(verb("rm", world.observed(), ServicesRequest())) == "remove/shop-web-1  (rm)"


def test_rm_with_stop_stops_what_runs() -> None:
    assert (
        str(verb("rm", shop().observed(), ServicesRequest(services=("api",), stop=True, volumes=True)))
        == """\
stop/shop-api-1  (rm)
remove/shop-api-1  (rm)  after stop/shop-api-1
stop/shop-api-2  (rm)
remove/shop-api-2  (rm)  after stop/shop-api-2"""
    )


@pytest.mark.parametrize("name", ["stop", "start", "restart", "rm"])
def test_a_service_without_containers_is_an_error_with_the_way_out(name: str) -> None:
    with pytest.raises(UsageError, match="service `cache` has no containers") as caught:
        verb(name, shop().observed(), ServicesRequest(services=("cache",)))

    assert caught.value.hint == "`compose up -d cache` makes them"


def test_one_offs_are_left_by_the_verbs_and_taken_by_down() -> None:
    world = shop()
    one_off = _one_off(world.by_name("shop-api-1"))
    observed = replace(world.observed(), containers=(*world.observed().containers, one_off))

    assert "shop-api-run-1" not in str(verb("stop", observed, ServicesRequest()))
    assert "shop-api-run-1" not in str(verb("restart", observed, ServicesRequest(services=("db",))))
    assert "remove/shop-api-run-1" in str(down(observed, PROJECT, DownRequest(), KNOWN))


def _one_off(container: ObservedContainer) -> ObservedContainer:
    return replace(container, id="one-off", name="shop-api-run-1", one_off=True)


def test_images_go_after_the_containers_made_from_them_and_stay_while_others_use_them() -> None:
    images = {"shop-api": ("shop-api-1", "shop-api-2"), "redis": ("shop-db-1", "blog-db-1"), "unused": ()}
    plan = down(shop().observed(), PROJECT, DownRequest(images="all"), KNOWN, images)

    assert [line for line in str(plan).splitlines() if line.startswith("remove-image")] == [
        "remove-image/shop-api  (down --rmi)  after remove/shop-api-1, remove/shop-api-2",
        "remove-image/unused  (down --rmi)",
    ]
    assert plan.warnings == ("image `redis` stays: `blog-db-1` is made from it",)


def test_local_images_are_those_that_nobody_named() -> None:
    observed = shop().observed()
    request = DownRequest(images="all")

    found = images_of(observed, PROJECT, None, request)
    local = images_of(observed, PROJECT, None, replace(request, images="local"))

    assert found == tuple(dict.fromkeys(container.config.image for container in observed.containers))
    assert set(local) <= {f"{PROJECT}-{name}" for name in KNOWN}
