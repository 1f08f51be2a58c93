from __future__ import annotations

from dataclasses import replace

import pytest

from composer.api.messages import UpOptions
from composer.engine.plan import Plan
from composer.engine.reconcile import reconcile
from composer.engine.world import (
    Desired,
    Generation,
    Health,
    ObservedNetwork,
    ObservedVolume,
    Publish,
    State,
)
from composer.errors import UsageError
from tests.fakes.world import FakeWorld
from tests.unit.engine.shop import (
    CHECK,
    JOB,
    PROJECT,
    begun,
    carry_out,
    completed,
    healthy,
    network,
    project,
    service,
    volume,
    world_with,
)

WEB_AND_DB = project(service("db", health=CHECK, mounts=(volume("data"),)), service("web", healthy("db")))
DEBUGGED = project(
    service("db", health=CHECK, mounts=(volume("data"),)),
    service("web", healthy("db"), environment={"DEBUG": "s3cret"}),
)
PAIR = project(service("db"), service("web", begun("db")))


def plan_for(desired: Desired, world: FakeWorld | None = None, **options: object) -> Plan:
    there = world or FakeWorld(PROJECT)
    return reconcile(desired, there.observed(), UpOptions(**options))  # type: ignore[arg-type]


def test_a_new_project_gets_networks_and_volumes_first_and_waits_for_conditions() -> None:
    assert (
        str(plan_for(WEB_AND_DB))
        == """\
network/shop_default  (new)
volume/shop_data  (new)
create/shop-db-1  (new)  after network/shop_default, volume/shop_data
start/shop-db-1  (new)  after create/shop-db-1, network/shop_default
create/shop-web-1  (new)  after network/shop_default
await/db/service_healthy  (web depends on it)  after start/shop-db-1
start/shop-web-1  (new)  after create/shop-web-1, network/shop_default, await/db/service_healthy"""
    )


def test_what_is_as_desired_gives_an_empty_plan() -> None:
    plan = plan_for(WEB_AND_DB, world_with(WEB_AND_DB))

    assert str(plan) == ""
    assert not plan
    assert not plan.warnings


def test_a_changed_service_is_recreated_alone_with_its_cause_and_place() -> None:
    def locate(path: tuple[str, ...]) -> str:
        return "compose.yaml:9" if path == ("services", "web", "environment", "DEBUG") else ""

    plan = reconcile(DEBUGGED, world_with(WEB_AND_DB).observed(), UpOptions(), locate)

    assert (
        str(plan)
        == """\
create/shop-web-1  (environment.DEBUG added (compose.yaml:9))
stop/shop-web-1  (environment.DEBUG added (compose.yaml:9))  after create/shop-web-1
remove/shop-web-1  (environment.DEBUG added (compose.yaml:9))  after create/shop-web-1, stop/shop-web-1
start/shop-web-1  (environment.DEBUG added (compose.yaml:9))  after create/shop-web-1, stop/shop-web-1"""
    )


def test_a_port_that_is_exposed_is_a_change_as_in_docker_compose() -> None:
    exposing = project(service("web", exposed=("80/tcp",)))

    plan = plan_for(exposing, world_with(project(service("web"))))

    assert str(plan).splitlines()[0] == "create/shop-web-1  (expose changed)"


def test_scaling_up_makes_only_what_is_missing() -> None:
    plan = plan_for(project(service("web", count=3)), world_with(project(service("web"))))

    assert (
        str(plan)
        == """\
create/shop-web-2  (new)
start/shop-web-2  (new)  after create/shop-web-2
create/shop-web-3  (new)
start/shop-web-3  (new)  after create/shop-web-3"""
    )


def test_scaling_down_takes_the_highest_numbers_first() -> None:
    plan = plan_for(project(service("web")), world_with(project(service("web", count=3))))

    assert (
        str(plan)
        == """\
stop/shop-web-3  (scaled to 1)
remove/shop-web-3  (scaled to 1)  after stop/shop-web-3
stop/shop-web-2  (scaled to 1)
remove/shop-web-2  (scaled to 1)  after stop/shop-web-2"""
    )


def test_scaling_to_zero_removes_all_and_warns_of_nothing() -> None:
    nobody = project(scope=frozenset({"web"}), known=frozenset({"web"}))

    plan = plan_for(nobody, world_with(project(service("web"))))

    assert (
        str(plan)
        == """\
stop/shop-web-1  (scaled to 0)
remove/shop-web-1  (scaled to 0)  after stop/shop-web-1"""
    )
    assert not plan.warnings


def test_force_recreate_concerns_the_services_named() -> None:
    named = replace(WEB_AND_DB, explicit=frozenset({"web"}))

    assert (
        str(plan_for(named, world_with(WEB_AND_DB), force_recreate=True))
        == """\
create/shop-web-1  (--force-recreate)
stop/shop-web-1  (--force-recreate)  after create/shop-web-1
remove/shop-web-1  (--force-recreate)  after create/shop-web-1, stop/shop-web-1
start/shop-web-1  (--force-recreate)  after create/shop-web-1, stop/shop-web-1"""
    )


def test_force_recreate_of_all_keeps_the_order_of_dependencies() -> None:
    assert (
        str(plan_for(WEB_AND_DB, world_with(WEB_AND_DB), force_recreate=True))
        == """\
create/shop-db-1  (--force-recreate)
stop/shop-db-1  (--force-recreate)  after create/shop-db-1
remove/shop-db-1  (--force-recreate)  after create/shop-db-1, stop/shop-db-1
start/shop-db-1  (--force-recreate)  after create/shop-db-1, stop/shop-db-1
create/shop-web-1  (--force-recreate)
stop/shop-web-1  (--force-recreate)  after create/shop-web-1
remove/shop-web-1  (--force-recreate)  after create/shop-web-1, stop/shop-web-1
await/db/service_healthy  (web depends on it)  after start/shop-db-1
start/shop-web-1  (--force-recreate)  after create/shop-web-1, stop/shop-web-1, await/db/service_healthy"""
    )


def test_always_recreate_deps_concerns_the_services_that_were_not_named() -> None:
    named = replace(WEB_AND_DB, explicit=frozenset({"web"}))

    assert (
        str(plan_for(named, world_with(WEB_AND_DB), always_recreate_deps=True))
        == """\
create/shop-db-1  (--always-recreate-deps)
stop/shop-db-1  (--always-recreate-deps)  after create/shop-db-1
remove/shop-db-1  (--always-recreate-deps)  after create/shop-db-1, stop/shop-db-1
start/shop-db-1  (--always-recreate-deps)  after create/shop-db-1, stop/shop-db-1
await/db/service_healthy  (web depends on it)  after start/shop-db-1"""
    )


def test_no_recreate_leaves_what_differs_as_it_is() -> None:
    assert str(plan_for(DEBUGGED, world_with(WEB_AND_DB), no_recreate=True)) == ""


def test_no_recreate_starts_a_container_by_the_name_that_it_has() -> None:
    world = world_with(project(service("db")))
    world.exit("shop-db-1")
    renamed = project(service("db", name_of_container="database"))

    assert (
        str(plan_for(renamed, world, no_recreate=True, wait=True))
        == """\
start/shop-db-1  (exited (0))
await/db/service_started  (--wait)  after start/shop-db-1"""
    )


def test_anonymous_volumes_are_handed_on_beside_the_old_container() -> None:
    world = world_with(project(service("db", mounts=(volume(""),))))
    plan = plan_for(project(service("db", mounts=(volume(""),), image="redis:8")), world)
    volumes = set(world.volumes)

    assert (
        str(plan)
        == """\
create/shop-db-1  (image: redis:7 -> redis:8)
stop/shop-db-1  (image: redis:7 -> redis:8)  after create/shop-db-1
remove/shop-db-1  (image: redis:7 -> redis:8)  after create/shop-db-1, stop/shop-db-1
start/shop-db-1  (image: redis:7 -> redis:8)  after create/shop-db-1, stop/shop-db-1"""
    )
    carry_out(plan, world)
    assert set(world.volumes) == volumes


def test_renewed_anonymous_volumes_go_with_the_old_container() -> None:
    world = world_with(project(service("db", mounts=(volume(""),))))
    plan = plan_for(project(service("db", mounts=(volume(""),), image="redis:8")), world, renew_anonymous_volumes=True)
    volumes = set(world.volumes)

    assert (
        str(plan)
        == """\
stop/shop-db-1  (image: redis:7 -> redis:8)
remove/shop-db-1  (image: redis:7 -> redis:8)  after stop/shop-db-1
create/shop-db-1  (image: redis:7 -> redis:8)  after remove/shop-db-1
start/shop-db-1  (image: redis:7 -> redis:8)  after create/shop-db-1"""
    )
    carry_out(plan, world)
    assert not volumes & set(world.volumes)


def test_a_changed_network_is_made_again_while_everything_on_it_is_stopped() -> None:
    changed = network(PAIR, "shop_default", subnet="10.9.0.0/24")

    def locate(path: tuple[str, ...]) -> str:
        return "compose.yaml:20" if path == ("networks", "default") else ""

    assert (
        str(reconcile(changed, world_with(PAIR).observed(), UpOptions(), locate))
        == """\
stop/shop-db-1  (network shop_default is made again)
stop/shop-web-1  (network shop_default is made again)
remove-network/shop_default  (subnet: default -> 10.9.0.0/24 (compose.yaml:20))  after stop/shop-db-1, stop/shop-web-1
network/shop_default  (subnet: default -> 10.9.0.0/24 (compose.yaml:20))  after remove-network/shop_default
start/shop-db-1  (network shop_default is made again)  after stop/shop-db-1, network/shop_default
start/shop-web-1  (network shop_default is made again)  after stop/shop-web-1, network/shop_default, start/shop-db-1"""
    )


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"internal": True}, "internal: false -> true"),
        ({"gateway": "10.0.0.9"}, "gateway: default -> 10.0.0.9"),
        ({"subnet": "10.9.0.0/24"}, "subnet: default -> 10.9.0.0/24"),
    ],
)
def test_each_property_of_a_network_is_a_cause_to_make_it_again(change: dict[str, object], cause: str) -> None:
    plan = plan_for(network(PAIR, "shop_default", **change), world_with(PAIR))

    assert f"network/shop_default  ({cause})" in str(plan)


def test_a_gateway_that_was_never_recorded_is_not_compared() -> None:
    world = world_with(PAIR)
    world.networks["shop_default"] = replace(world.networks["shop_default"], wanted_gateway=None)

    assert not plan_for(network(PAIR, "shop_default", gateway="10.0.0.9"), world)


def test_a_changed_network_restarts_containers_outside_of_the_request_too() -> None:
    named = replace(
        network(PAIR, "shop_default", internal=True),
        containers=PAIR.containers[:1],
        scope=frozenset({"db"}),
        explicit=frozenset({"db"}),
    )

    assert (
        str(plan_for(named, world_with(PAIR)))
        == """\
stop/shop-db-1  (network shop_default is made again)
stop/shop-web-1  (network shop_default is made again)
remove-network/shop_default  (internal: false -> true)  after stop/shop-db-1, stop/shop-web-1
network/shop_default  (internal: false -> true)  after remove-network/shop_default
start/shop-db-1  (network shop_default is made again)  after stop/shop-db-1, network/shop_default
start/shop-web-1  (network shop_default is made again)  after stop/shop-web-1, network/shop_default"""
    )


def test_a_network_whose_namespace_is_gone_is_made_and_entered_again() -> None:
    world = world_with(PAIR)
    world.networks["shop_default"] = replace(world.networks["shop_default"], alive=False)

    assert (
        str(plan_for(PAIR, world))
        == """\
network/shop_default  (its namespace is gone)
stop/shop-db-1  (network shop_default was gone)
start/shop-db-1  (network shop_default was gone)  after stop/shop-db-1, network/shop_default
stop/shop-web-1  (network shop_default was gone)
start/shop-web-1  (network shop_default was gone)  after stop/shop-web-1, network/shop_default, start/shop-db-1"""
    )


def test_after_a_reboot_everything_is_started_in_order() -> None:
    world = world_with(PAIR)
    world.reboot()

    assert (
        str(plan_for(PAIR, world))
        == """\
network/shop_default  (its namespace is gone)
start/shop-db-1  (exited (255))  after network/shop_default
start/shop-web-1  (exited (255))  after network/shop_default, start/shop-db-1"""
    )


def test_a_container_on_another_network_of_that_name_is_restarted() -> None:
    world = world_with(PAIR)
    world.networks["shop_default"] = replace(world.networks["shop_default"], id="another")

    assert "start/shop-db-1  (not attached to network shop_default)" in str(plan_for(PAIR, world))


def test_a_dependent_that_says_restart_stops_before_and_starts_after() -> None:
    before = project(service("db"), service("web", begun("db", restart=True)))
    after = project(service("db", image="redis:8"), service("web", begun("db", restart=True)))

    assert (
        str(plan_for(after, world_with(before)))
        == """\
create/shop-db-1  (image: redis:7 -> redis:8)
stop/shop-web-1  (restarts with db)  after create/shop-db-1
stop/shop-db-1  (image: redis:7 -> redis:8)  after create/shop-db-1, stop/shop-web-1
remove/shop-db-1  (image: redis:7 -> redis:8)  after create/shop-db-1, stop/shop-db-1
start/shop-db-1  (image: redis:7 -> redis:8)  after create/shop-db-1, stop/shop-db-1
start/shop-web-1  (restarts with db)  after stop/shop-web-1, start/shop-db-1"""
    )


def test_a_dependent_that_does_not_say_restart_goes_on() -> None:
    after = project(service("db", image="redis:8"), service("web", begun("db")))

    assert "shop-web-1" not in str(plan_for(after, world_with(PAIR)))


def test_who_shares_a_network_is_recreated_with_its_owner() -> None:
    sharing = service("app", begun("vpn"), networks=(), network_mode="service:vpn")
    before = project(service("vpn"), sharing)
    after = project(service("vpn", image="redis:8"), before.containers[1:])

    assert (
        str(plan_for(after, world_with(before)))
        == """\
create/shop-vpn-1  (image: redis:7 -> redis:8)
create/shop-app-1  (shares the network of vpn, which is recreated)
stop/shop-app-1  (shares the network of vpn, which is recreated)  after create/shop-app-1, create/shop-vpn-1
stop/shop-vpn-1  (image: redis:7 -> redis:8)  after create/shop-vpn-1, stop/shop-app-1
remove/shop-vpn-1  (image: redis:7 -> redis:8)  after create/shop-vpn-1, stop/shop-vpn-1
start/shop-vpn-1  (image: redis:7 -> redis:8)  after create/shop-vpn-1, stop/shop-vpn-1
remove/shop-app-1  (shares the network of vpn, which is recreated)  after create/shop-app-1, stop/shop-app-1
start/shop-app-1  (shares the network of vpn, which is recreated)  after create/shop-app-1, stop/shop-app-1, start/shop-vpn-1"""
    )


def test_who_shares_a_network_is_restarted_when_its_owner_has_exited() -> None:
    desired = project(service("vpn"), service("app", begun("vpn"), networks=(), network_mode="service:vpn"))
    world = world_with(desired)
    world.exit("shop-vpn-1", 1)

    assert (
        str(plan_for(desired, world))
        == """\
start/shop-vpn-1  (exited (1))
stop/shop-app-1  (shares the network of vpn, which is started)
start/shop-app-1  (shares the network of vpn, which is started)  after stop/shop-app-1, start/shop-vpn-1"""
    )


def test_orphans_are_named_and_left() -> None:
    plan = plan_for(project(service("web", begun("db"))), world_with(PAIR))

    assert not plan
    assert plan.warnings == (
        "orphan containers of services that the file does not have: `shop-db-1`; see --remove-orphans",
    )


def test_orphans_are_removed_when_asked() -> None:
    plan = plan_for(project(service("web")), world_with(PAIR), remove_orphans=True)

    assert (
        str(plan)
        == """\
stop/shop-db-1  (orphan)
remove/shop-db-1  (orphan)  after stop/shop-db-1"""
    )
    assert not plan.warnings


def test_a_service_of_an_inactive_profile_is_no_orphan() -> None:
    plan = plan_for(project(service("web"), known=frozenset({"web", "db"})), world_with(PAIR), remove_orphans=True)

    assert not plan
    assert not plan.warnings


def test_a_host_port_is_free_before_another_service_takes_it() -> None:
    ports = (Publish(80, host_port="8080"),)
    world = world_with(project(service("old", ports=ports)))

    assert (
        str(plan_for(project(service("new", ports=ports)), world, remove_orphans=True))
        == """\
create/shop-new-1  (new)
stop/shop-old-1  (orphan)
start/shop-new-1  (new)  after create/shop-new-1, stop/shop-old-1
remove/shop-old-1  (orphan)  after stop/shop-old-1"""
    )


def test_two_services_may_swap_their_ports() -> None:
    one, other = (Publish(80, host_port="8080"),), (Publish(80, host_port="8081"),)
    world = world_with(project(service("a", ports=one), service("b", ports=other)))
    swapped = project(service("a", ports=other), service("b", ports=one))

    carry_out(plan_for(swapped, world), world)

    assert not plan_for(swapped, world)


def test_an_exited_container_is_started_again() -> None:
    world = world_with(PAIR)
    world.exit("shop-db-1", 137)

    assert (
        str(plan_for(PAIR, world))
        == """\
start/shop-db-1  (exited (137))"""
    )


def test_a_one_shot_runs_again_and_is_awaited_before_its_dependents() -> None:
    desired = project(service("migrate", arguments=JOB), service("web", completed("migrate")))

    assert (
        str(plan_for(desired))
        == """\
network/shop_default  (new)
create/shop-migrate-1  (new)  after network/shop_default
start/shop-migrate-1  (new)  after create/shop-migrate-1, network/shop_default
create/shop-web-1  (new)  after network/shop_default
await/migrate/service_completed_successfully  (web depends on it)  after start/shop-migrate-1
start/shop-web-1  (new)  after create/shop-web-1, network/shop_default, await/migrate/service_completed_successfully"""
    )
    assert (
        str(plan_for(desired, world_with(desired)))
        == """\
start/shop-migrate-1  (exited (0))
await/migrate/service_completed_successfully  (web depends on it)  after start/shop-migrate-1"""
    )


def test_an_optional_dependency_has_a_wait_of_its_own() -> None:
    desired = project(
        service("migrate", arguments=JOB),
        service("web", completed("migrate", required=False)),
        service("api", completed("migrate")),
    )

    awaits = [line for line in str(plan_for(desired)).splitlines() if line.startswith("await/")]

    assert awaits == [
        "await/migrate/service_completed_successfully/optional  (web depends on it)  after start/shop-migrate-1",
        "await/migrate/service_completed_successfully  (api depends on it)  after start/shop-migrate-1",
    ]


def test_what_a_running_service_depends_on_is_awaited_when_it_is_unhealthy() -> None:
    world = world_with(WEB_AND_DB)
    database = world.by_name("shop-db-1")
    world.containers[database.id] = replace(database, health=Health.UNHEALTHY)

    assert str(plan_for(WEB_AND_DB, world)) == "await/db/service_healthy  (web depends on it)"


def test_wait_awaits_health_or_else_the_start_of_what_was_asked_for() -> None:
    plan = plan_for(WEB_AND_DB, wait=True, wait_timeout=60.0)

    assert (
        str(plan)
        == """\
network/shop_default  (new)
volume/shop_data  (new)
create/shop-db-1  (new)  after network/shop_default, volume/shop_data
start/shop-db-1  (new)  after create/shop-db-1, network/shop_default
create/shop-web-1  (new)  after network/shop_default
await/db/service_healthy  (web depends on it)  after start/shop-db-1
start/shop-web-1  (new)  after create/shop-web-1, network/shop_default, await/db/service_healthy
await/web/service_started  (--wait)  after start/shop-web-1"""
    )
    assert all(node.operation.timeout == 60.0 for node in plan if node.id.startswith("await/"))  # type: ignore[union-attr]
    assert not plan_for(WEB_AND_DB, world_with(WEB_AND_DB), wait=True)


def test_wait_does_not_wait_for_one_shots_to_run() -> None:
    desired = project(service("migrate", arguments=JOB), service("web", completed("migrate")))

    assert "await/migrate/service_started" not in str(plan_for(desired, wait=True))


def test_no_start_only_creates_and_the_next_up_starts() -> None:
    world = FakeWorld(PROJECT)
    plan = plan_for(WEB_AND_DB, world, no_start=True)

    assert (
        str(plan)
        == """\
network/shop_default  (new)
volume/shop_data  (new)
create/shop-db-1  (new)  after network/shop_default, volume/shop_data
create/shop-web-1  (new)  after network/shop_default"""
    )
    carry_out(plan, world)
    assert (
        str(plan_for(WEB_AND_DB, world))
        == """\
start/shop-db-1  (created)
await/db/service_healthy  (web depends on it)  after start/shop-db-1
start/shop-web-1  (created)  after await/db/service_healthy"""
    )


def test_services_outside_of_the_request_are_left_and_not_awaited() -> None:
    alone = project(service("web", image="redis:8"), known=frozenset({"web", "db"}))

    plan = plan_for(alone, world_with(PAIR))

    assert "db" not in str(plan)
    assert not plan.warnings


def test_an_external_network_must_exist() -> None:
    desired = network(PAIR, "shop_default", external=True)

    with pytest.raises(
        UsageError, match="cannot use network `shop_default`: it is declared external and does not exist"
    ):
        plan_for(desired)


def test_an_external_network_is_used_as_it_is() -> None:
    desired = network(PAIR, "shop_default", external=True, internal=True)
    world = FakeWorld(PROJECT)
    world.networks["shop_default"] = ObservedNetwork("n1", "shop_default", alive=True, project="other")

    assert "network/shop_default" not in str(plan_for(desired, world))


def test_a_network_of_another_project_is_warned_about_and_never_made_again() -> None:
    world = FakeWorld(PROJECT)
    world.networks["shop_default"] = ObservedNetwork("n1", "shop_default", alive=True, internal=True, project="other")

    plan = plan_for(PAIR, world)

    assert "network/shop_default" not in str(plan)
    assert plan.warnings == (
        "network `shop_default` is not of this project; declare it `external: true` to use it as it is",
    )


def test_an_external_volume_must_exist() -> None:
    desired = replace(WEB_AND_DB, volumes={name: replace(it, external=True) for name, it in WEB_AND_DB.volumes.items()})

    with pytest.raises(UsageError, match="cannot use volume `shop_data`: it is declared external and does not exist"):
        plan_for(desired)


def test_a_volume_that_differs_is_warned_about_and_kept() -> None:
    world = FakeWorld(PROJECT)
    world.volumes["shop_data"] = ObservedVolume("shop_data", "other", driver="nfs")

    plan = plan_for(WEB_AND_DB, world)

    assert "volume/" not in str(plan)
    assert plan.warnings == (
        "volume `shop_data` is not of this project; declare it `external: true` to use it",
        "volume `shop_data` keeps driver `nfs`: a driver cannot be changed without losing the data",
    )


def test_a_crash_between_creation_and_removal_leaves_the_successor_and_the_old_one_goes() -> None:
    world = world_with(WEB_AND_DB)
    carry_out(plan_for(DEBUGGED, world), world, until="create/shop-web-1")

    assert (
        str(plan_for(DEBUGGED, world))
        == """\
stop/c3_shop-web-1  (replaced)
start/shop-web-1  (created)  after stop/c3_shop-web-1
remove/c3_shop-web-1  (replaced)  after stop/c3_shop-web-1"""
    )


def test_a_crash_in_the_middle_of_a_creation_replaces_the_old_one_again() -> None:
    world = world_with(project(service("web")))
    after = project(service("web", image="redis:8"))
    operation = plan_for(after, world).nodes[0].operation
    world.create_half(operation)  # type: ignore[arg-type]

    assert (
        str(plan_for(after, world))
        == """\
create/shop-web-1  (image: redis:7 -> redis:8)
stop/c2_shop-web-1  (image: redis:7 -> redis:8)  after create/shop-web-1
remove/c2_shop-web-1  (image: redis:7 -> redis:8)  after create/shop-web-1, stop/c2_shop-web-1
start/shop-web-1  (image: redis:7 -> redis:8)  after create/shop-web-1, stop/c2_shop-web-1"""
    )


def test_a_name_that_an_orphan_holds_is_freed_first() -> None:
    world = world_with(project(service("a", name_of_container="one")))
    after = project(service("b", name_of_container="one"))

    assert (
        str(plan_for(after, world, remove_orphans=True))
        == """\
stop/one  (orphan)
remove/one  (orphan)  after stop/one
create/one  (new)  after remove/one
start/one  (new)  after create/one"""
    )


def test_a_name_that_nobody_gives_up_is_an_error_with_the_way_out() -> None:
    world = world_with(project(service("a", name_of_container="one")))

    with pytest.raises(UsageError, match="cannot create container `one`: service `a` has a container") as caught:
        plan_for(project(service("b", name_of_container="one")), world)

    assert caught.value.hint == "add --remove-orphans to remove it"


def test_names_swapped_between_services_are_refused_with_the_circle() -> None:
    world = world_with(project(service("a", name_of_container="one"), service("b", name_of_container="two")))
    swapped = project(service("a", name_of_container="two"), service("b", name_of_container="one"))

    with pytest.raises(UsageError, match="create/two -> remove/two -> create/one -> remove/one -> create/two"):
        plan_for(swapped, world)


def test_a_container_that_waits_for_its_restart_counts_as_running() -> None:
    world = world_with(PAIR)
    web = world.by_name("shop-web-1")
    world.containers[web.id] = replace(web, state=State.RESTARTING)

    assert not plan_for(PAIR, world)
    assert "stop/shop-web-1" in str(plan_for(PAIR, world, force_recreate=True))


def test_a_service_of_a_new_generation_is_restarted_once() -> None:
    world = world_with(PAIR)
    changed = replace(PAIR, generations={"db": Generation(1, "conf changed")})

    assert str(plan_for(changed, world)) == (
        "stop/shop-db-1  (conf changed)\nstart/shop-db-1  (conf changed)  after stop/shop-db-1"
    )
    there = world.observed()
    started = tuple(replace(each, generation=1) for each in there.containers)
    assert not reconcile(changed, replace(there, containers=started), UpOptions())
