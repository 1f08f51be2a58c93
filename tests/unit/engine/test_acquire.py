from __future__ import annotations

from typing import Any

from composer.engine.acquire import acquire, acquire_anew, known_after, unknown_image
from composer.engine.plan import CreateContainer, Node, Plan, PullImage
from composer.image.image import Image, Origin
from composer.lock.pins import Pin, Pins
from composer.oci.config import ImageConfig
from composer.oci.digest import Digest
from composer.oci.reference import parse
from composer.project.model import Build, Service
from tests.unit.engine.shop import service as replicas

NOW = 1_000_000.0
LINES = {"image": "compose.yaml:3", "pull_policy": "compose.yaml:4", "platform": "compose.yaml:5"}


def service(name: str, image: str | None, **changes: Any) -> Service:
    return Service(name=name, image=image, **changes)


def stored(reference: str, age: float | None = None, architecture: str = "amd64") -> dict[str, Image]:
    origin = None if age is None else Origin(Digest.of(b""), NOW - age)
    config = ImageConfig(architecture, "linux")
    return {reference: Image("sha256:1", parse(reference), None, config, (), origin=origin)}


def plan(*services: Service, images: dict[str, Image] | None = None, policy: str = "policy") -> str:
    return str(acquire(services, images or {}, policy=policy, now=NOW, locate=lambda path: LINES[path[2]]))


def test_an_image_that_is_missing_is_pulled_once_for_all_its_services() -> None:
    assert plan(service("web", "shop:1"), service("worker", "shop:1"), service("db", "postgres:15")) == (
        "pull/shop:1  (missing, compose.yaml:3)\npull/postgres:15  (missing, compose.yaml:3)"
    )


def test_an_image_that_is_there_is_left_alone_unless_a_policy_says_otherwise() -> None:
    there = stored("redis:7", age=0)

    assert plan(service("db", "redis:7"), images=there) == ""
    assert plan(service("db", "redis:7", pull_policy="always"), images=there) == (
        "pull/redis:7  (pull_policy: always, compose.yaml:4)"
    )
    assert plan(service("db", "redis:7"), images=there, policy="always") == "pull/redis:7  (`--pull always`)"
    assert plan(service("db", "redis:7", pull_policy="always"), images=there, policy="missing") == ""


def test_what_must_never_be_pulled_or_is_built_is_not_pulled() -> None:
    assert plan(service("db", "redis:7", pull_policy="never")) == ""
    assert plan(service("db", "redis:7"), policy="never") == ""
    assert plan(service("web", "web:1", pull_policy="build", build=Build(context="."))) == ""
    assert plan(service("web", None, build=Build(context="."))) == ""
    assert plan(service("shell", "host")) == ""


def test_an_image_is_refreshed_when_it_is_as_old_as_its_policy_allows() -> None:
    def pulled(policy: str, age: float | None) -> bool:
        return bool(plan(service("db", "redis:7", pull_policy=policy), images=stored("redis:7", age)))

    assert not pulled("daily", 86_399)
    assert pulled("daily", 86_400)
    assert not pulled("weekly", 6 * 86_400)
    assert pulled("weekly", 7 * 86_400)
    assert not pulled("every_12h", 43_199)
    assert pulled("every_12h", 43_200)
    assert pulled("daily", None)


def test_an_image_for_another_platform_than_the_service_asks_for_is_pulled() -> None:
    asked = service("db", "redis:7", platform="linux/arm64")

    assert plan(asked, images=stored("redis:7", 0)) == "pull/redis:7  (platform: linux/arm64, compose.yaml:5)"
    assert plan(asked, images=stored("redis:7", 0, "arm64")) == ""


def test_that_an_image_can_be_built_makes_its_pull_optional() -> None:
    buildable = service("web", "web:1", build=Build(context="."))
    (node,) = acquire((buildable,), {}, policy="policy", now=NOW, locate=lambda _: "")

    assert not node.operation.required  # type: ignore[union-attr]  # it is a pull


def test_a_pull_asked_for_fetches_what_is_there_too() -> None:
    def pulls(*services: Service, policy: str = "", buildable: bool = True) -> str:
        return str(
            acquire_anew(
                services,
                stored("redis:7", 0),
                policy=policy,
                ignore_buildable=not buildable,
                ignore_failures=False,
                now=NOW,
                locate=lambda _: "",
            )
        )

    assert pulls(service("db", "redis:7")) == "pull/redis:7  (asked for)"
    assert pulls(service("db", "redis:7", pull_policy="missing")) == ""
    assert pulls(service("db", "redis:7"), policy="missing") == ""
    assert pulls(service("db", "redis:7", pull_policy="never")) == ""
    assert pulls(service("db", "redis:7", pull_policy="daily")) == "pull/redis:7  (asked for)"
    web = service("web", "web:1", build=Build(context="."))
    assert pulls(web) == "pull/web:1  (missing)"
    assert pulls(web, buildable=False) == ""


def test_a_pull_that_need_not_succeed_says_who_builds_the_image() -> None:
    (node,) = acquire_anew(
        [service("web", "app:1", build=Build(context="."))],
        {},
        policy="",
        ignore_buildable=False,
        ignore_failures=False,
        now=0,
        locate=lambda _: "",
    )

    assert node.operation == PullImage("app:1", required=False, otherwise="`compose build web` makes it")


def test_a_dry_run_says_what_only_a_pull_will_tell() -> None:
    pulls = acquire((service("db", "redis:7"),), {}, policy="policy", now=NOW, locate=lambda _: "")
    (container,) = replicas("db")
    rest = Plan((Node("create/shop-db-1", CreateContainer(container), "new", ("network/shop_default",)),))

    assert str(known_after(pulls, rest)) == (
        "pull/redis:7  (missing)\n"
        "create/shop-db-1  (known after pull of redis:7)  after network/shop_default, pull/redis:7"
    )
    assert unknown_image().config.healthcheck is not None


def plan_locked(*services: Service, images: dict[str, Image] | None = None, policy: str = "policy") -> Plan:
    pins = Pins({"redis:7": Pin(Digest("sha256", "a" * 64), {}, "compose.lock:5")})
    return acquire(services, images or {}, policy=policy, now=NOW, locate=lambda path: LINES[path[2]], pins=pins)


def test_what_is_locked_is_pulled_by_its_digest_and_only_if_it_is_missing() -> None:
    (node,) = plan_locked(service("db", "redis:7"))

    assert isinstance(node.operation, PullImage)
    assert node.operation.digest == f"sha256:{'a' * 64}"
    assert node.cause == f"missing {'a' * 12}, compose.lock:5"
    there = stored("redis:7", age=9e9)
    for policy in ("missing", "always", "daily"):
        assert not plan_locked(service("db", "redis:7", pull_policy=policy), images=there)
    assert not plan_locked(service("db", "redis:7"), images=there, policy="always")
    assert not plan_locked(service("db", "redis:7", pull_policy="never"))
    assert str(plan_locked(service("db", "redis:8"))) == "pull/redis:8  (missing, compose.yaml:3)"


def test_what_can_be_built_is_not_pulled_where_there_is_a_lock() -> None:
    buildable = service("web", "shop/web:1", build=Build(context="."))

    assert not plan_locked(buildable, service("db", "redis:7"), images=stored("redis:7", age=0))
    assert str(plan(buildable)) == "pull/shop/web:1  (missing, compose.yaml:3)"
