from __future__ import annotations

from typing import Any

from composer.engine.acquire import acquire, known_after
from composer.engine.building.builds import buildables, built_from, contested, needed
from composer.engine.plan import BuildImage, CreateContainer, Node, Plan
from composer.project.model import Build, Project, Service
from tests.unit.engine.shop import service as replicas

LINES = {"build": "compose.yaml:3", "pull_policy": "compose.yaml:4", "image": "compose.yaml:2"}


def project(**services: dict[str, Any]) -> Project:
    made = {
        name: Service(name=name, **{**fields, "build": Build(**fields["build"]) if "build" in fields else None})
        for name, fields in services.items()
    }
    return Project(name="shop", working_dir="/p", services=made)


def plan(
    shop: Project, *named: str, mode: str = "auto", found: tuple[str, ...] = (), stale: dict[str, str] | None = None
) -> str:
    services = [shop.services[name] for name in named or shop.services]

    def locate(path: tuple[str, ...]) -> str:
        return LINES.get(path[2], "")

    pulls = acquire(services, dict.fromkeys(found), policy="policy", now=0.0, locate=locate)  # type: ignore[arg-type]
    wanted = buildables(shop, services)
    builds = needed(wanted, mode=mode, found=found, pulls=pulls, stale=stale or {}, locate=locate)
    return str(Plan((*pulls, *builds)))


WEB = {"build": {"context": "/p"}}


def test_what_is_missing_is_built_and_what_is_there_is_not() -> None:
    shop = project(web=WEB)

    assert plan(shop) == "build/web  (missing, compose.yaml:3)"
    assert plan(shop, found=("shop-web",)) == ""


def test_what_its_inputs_have_left_behind_is_built_again_for_what_changed() -> None:
    shop = project(web=WEB)
    stale = {"web": "src/app.py changed"}

    assert plan(shop, found=("shop-web",), stale=stale) == "build/web  (src/app.py changed)"
    assert plan(shop, found=("shop-web",), stale=stale, mode="missing") == ""


def test_flags_and_policies_decide() -> None:
    always = project(web={**WEB, "pull_policy": "build"})

    assert plan(project(web=WEB), mode="always", found=("shop-web",)) == "build/web  (`--build`)"
    assert plan(project(web=WEB), mode="never") == ""
    assert plan(always, found=("shop-web",)) == "build/web  (pull_policy: build, compose.yaml:4)"
    assert plan(always, found=("shop-web",), mode="missing") == ""


def test_services_that_describe_the_same_image_share_one_build() -> None:
    shop = project(web=WEB, worker=WEB, other={"build": {"context": "/p", "target": "other"}})

    (shared, other) = buildables(shop, shop.services.values())
    assert (shared.service, shared.services, shared.references) == (
        "web",
        ("web", "worker"),
        ("shop-web", "shop-worker"),
    )
    assert other.references == ("shop-other",)
    assert plan(shop, found=("shop-web", "shop-other")) == "build/web  (missing, compose.yaml:3)"


def test_the_image_of_a_service_that_is_a_context_comes_first_named_or_not() -> None:
    build = {"context": "/p", "additional_contexts": {"base": "service:base", "files": "/q"}}
    shop = project(web={"build": build}, base={"build": {"context": "/b"}})

    assert built_from(shop.services["web"].build) == ("base",)  # type: ignore[arg-type]  # it has one
    assert plan(shop, "web") == (
        "build/base  (missing, compose.yaml:3)\nbuild/web  (missing, compose.yaml:3)  after build/base"
    )
    assert plan(shop, "web", found=("shop-web", "shop-base"), stale={"base": "b.txt changed"}) == (
        "build/base  (b.txt changed)\nbuild/web  (base is built again)  after build/base"
    )
    assert plan(shop, "web", found=("shop-base",)) == "build/web  (missing, compose.yaml:3)"


def test_what_a_dockerfile_builds_upon_comes_first() -> None:
    shop = project(web=WEB, base={"build": {"context": "/b"}, "image": "my/base"})
    services = [shop.services["web"]]

    (first, second) = buildables(shop, services, {"web": ("base",)})

    assert (first.service, second.service, second.needs) == ("base", "web", ("base",))
    assert [each.service for each in buildables(shop, services)] == ["web"]


def test_names_that_two_builds_claim_are_found() -> None:
    other = {"build": {"context": "/other"}, "image": "same"}
    shop = project(web={**WEB, "image": "same"}, worker={**WEB, "image": "same"}, other=other)

    assert contested(buildables(shop, shop.services.values())) == {"same": ("web", "other")}


def test_contexts_in_a_circle_do_not_hang() -> None:
    shop = project(
        a={"build": {"context": "/a", "additional_contexts": {"b": "service:b"}}},
        b={"build": {"context": "/b", "additional_contexts": {"a": "service:a"}}},
    )

    assert {each.service for each in buildables(shop, shop.services.values())} == {"a", "b"}


def test_an_image_that_can_be_pulled_is_built_only_if_that_did_not_bring_it() -> None:
    shop = project(web={**WEB, "image": "example/web"})

    assert plan(shop) == (
        "pull/example/web  (missing, compose.yaml:2)\nbuild/web  (missing, compose.yaml:3)  after pull/example/web"
    )
    wanted = buildables(shop, shop.services.values())
    pulls = acquire(tuple(shop.services.values()), {}, policy="policy", now=0.0, locate=lambda _: "")
    (build,) = needed(wanted, mode="auto", found=(), pulls=pulls, stale={}, locate=lambda _: "")
    assert isinstance(build.operation, BuildImage)
    assert build.operation.if_missing


def test_an_image_called_host_is_never_built() -> None:
    shop = project(web={**WEB, "image": "host"})

    assert plan(shop) == ""


def test_a_dry_run_says_what_only_a_build_will_tell() -> None:
    shop = project(db={"image": "redis:7", **WEB})
    wanted = buildables(shop, shop.services.values())
    builds = needed(wanted, mode="auto", found=(), pulls=Plan(), stale={}, locate=lambda _: "")
    (container,) = replicas("db")
    rest = Plan((Node("create/shop-db-1", CreateContainer(container), "new"),))

    assert str(known_after(builds, rest)) == (
        "build/db  (missing)\ncreate/shop-db-1  (known after build of db)  after build/db"
    )
