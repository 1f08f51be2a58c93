from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from composer import __version__
from composer.build.options import BuildOptions, Limit
from composer.engine.building.describe import options_of
from composer.engine.building.platforms import choose_platform
from composer.errors import ProjectError, UsageError
from composer.oci.platform import this_platform
from composer.project.model import File, Grant, Ulimit
from tests.unit.engine.building.making import Bench

EMULATED = "enabled\nflags: F\noffset 0\nmagic 7f454c460201010000000000000000000200f300\n"
"""An interpreter for riscv64, as the kernel tells of it."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def describe(bench: Bench, **build: Any) -> BuildOptions:
    return options_of(*bench.errand(**build), lambda service: f"sha256:{service}")


def refused(bench: Bench, **build: Any) -> str:
    with pytest.raises(ProjectError) as caught:
        describe(bench, **build)
    return "\n".join(diagnostic.message for diagnostic in caught.value.diagnostics)


def test_names_and_labels_are_those_that_docker_compose_gives(bench: Bench) -> None:
    options = describe(bench, tags=("example/web:1",), labels={"a": "b", "com.docker.compose.service": "x"})

    assert options.tags == ("shop-web", "example/web:1")
    assert options.labels == {
        "a": "b",
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "web",
        "com.docker.compose.version": __version__,
    }


def test_arguments_are_the_file_s_over_the_user_s_proxies(bench: Bench) -> None:
    (bench.root / ".docker").mkdir()
    proxies = {"default": {"httpProxy": "http://proxy:1", "noProxy": "localhost"}}
    (bench.root / ".docker/config.json").write_text(json.dumps({"proxies": proxies}))
    options = describe(bench, args={"A": "1", "http_proxy": "mine"}, surroundings={"SOURCE_DATE_EPOCH": "7"})

    assert options.args == {
        "A": "1",
        "HTTP_PROXY": "http://proxy:1",
        "http_proxy": "mine",
        "NO_PROXY": "localhost",
        "no_proxy": "localhost",
        "SOURCE_DATE_EPOCH": "7",
    }


def test_limits_and_caches_are_passed_on_with_absolute_directories(bench: Bench) -> None:
    options = describe(
        bench,
        ulimits={"nofile": Ulimit(soft=1, hard=2)},
        shm_size=64,
        cache_from=("example/cache", "type=local,src=cache"),
        cache_to=("type=local,dest=/cache,mode=max",),
    )

    assert options.ulimits == (Limit("nofile", 1, 2),)
    assert options.cache_from == ("example/cache", f"type=local,src={bench.root}/cache")
    assert options.cache_to == ("type=local,dest=/cache,mode=max",)


def test_a_cache_that_means_nothing_is_told_with_its_place(bench: Bench) -> None:
    with pytest.raises(ProjectError) as caught:
        describe(bench, cache_from=("app", "ref=app"), cache_to=("type=registry",))

    told = [diagnostic.message for diagnostic in caught.value.diagnostics]
    assert told == [
        "services.web.build.cache_from[1]: cannot use the cache `ref=app`: it has no `type`",
        "services.web.build.cache_to[0]: cannot use the cache `type=registry`: `type=registry` needs `ref=NAME`",
    ]


def test_the_image_of_a_service_is_a_context(bench: Bench) -> None:
    options = describe(bench, additional_contexts={"b": "service:base", "w": "service:web", "d": str(bench.root)})

    assert options.contexts == {
        "b": "docker-image://sha256:base",
        "w": "docker-image://sha256:web",
        "d": str(bench.root),
    }


def test_secrets_are_read_when_they_are_used_and_never_shown(bench: Bench) -> None:
    secret = bench.root / "secret"
    grants = (Grant(source="file", target="f"), Grant(source="variable", target="v"))
    files = {
        "file": File(key="file", name="file", file=str(secret)),
        "variable": File(key="variable", name="variable", environment="TOKEN"),
    }
    options = describe(bench, secrets=files, build_secrets=grants)

    secret.write_text("late")
    assert {name: read() for name, read in options.secrets.items()} == {"f": b"late", "v": b"hunter2"}
    assert "hunter2" not in repr(options)


def test_a_secret_without_a_value_is_refused_with_its_variable(bench: Bench) -> None:
    files = {"token": File(key="token", name="token", environment="UNSET")}

    assert "services.web.build.secrets[0]: secret `token` has no value: the variable `UNSET` is not set" in refused(
        bench, secrets=files, build_secrets=(Grant(source="token", target="token"),)
    )


def test_agents_and_keys_are_found_and_missing_ones_told(bench: Bench) -> None:
    assert "`SSH_AUTH_SOCK` is not set" in refused(bench, ssh={"default": None})
    assert "`key` does not exist" in refused(bench, ssh={"k": "key"})
    for name in ("key", "agent"):
        (bench.root / name).write_text("")
    assert describe(bench, ssh={"k": "key"}).ssh == {"k": str(bench.root / "key")}
    around = {"SSH_AUTH_SOCK": str(bench.root / "agent")}
    assert describe(bench, ssh={"default": None}, surroundings=around).ssh == {"default": around["SSH_AUTH_SOCK"]}


def test_what_cannot_be_is_refused_all_at_once(bench: Bench) -> None:
    text = refused(bench, network="shop_default", entitlements=("network.host", "devices"), platforms=("linux/!",))

    assert "services.web.build.network: steps of a build cannot be on `shop_default`" in text
    assert "services.web.build.entitlements[1]: there is no entitlement `devices`" in text
    assert "services.web.build.platforms: cannot use `linux/!` as a platform" in text


def test_names_and_contexts_that_cannot_be_are_told_with_their_places(bench: Bench) -> None:
    text = refused(bench, tags=("ok", "UPPER", "host"), additional_contexts={"a": "/nowhere", "b": str(bench.root)})

    assert "services.web.build.tags[1]: " in text
    assert "services.web.build.tags[2]: cannot use the name `host`" in text
    assert "services.web.build.additional_contexts.a: `/nowhere` does not exist" in text
    assert len(text.splitlines()) == 3


def test_what_the_build_as_a_whole_is_given_its_steps_have(bench: Bench) -> None:
    assert describe(bench, network="host").entitlements == {"network.host"}
    assert describe(bench, privileged=True).entitlements == {"security.insecure"}
    assert describe(bench, network="bridge").network == "default"


def test_the_platform_is_this_machine_s_where_it_is_offered(tmp_path: Path) -> None:
    here = f"linux/{this_platform().architecture}"

    assert choose_platform("", ("linux/s390x", here), tmp_path) == here
    assert choose_platform("", (), tmp_path) == ""
    assert choose_platform("", ("linux/s390x", "linux/riscv64"), tmp_path) == "linux/s390x"
    (tmp_path / "riscv").write_text(EMULATED)
    assert choose_platform("", ("linux/s390x", "linux/riscv64"), tmp_path) == "linux/riscv64"
    with pytest.raises(UsageError, match="is not among `linux/s390x`"):
        choose_platform(here, ("linux/s390x",), tmp_path)
    with pytest.raises(UsageError, match="as a platform"):
        choose_platform("", ("linux/!",), tmp_path)


def test_an_image_is_built_for_every_platform_where_that_is_asked_for(bench: Bench) -> None:
    operation, errand = bench.errand(platforms=("linux/s390x", "linux/arm64", "linux/aarch64"))

    assert options_of(operation, errand, str).platforms == ()
    every = replace(operation, every_platform=True)
    assert options_of(every, errand, str).platforms == ("linux/s390x", "linux/arm64")


def test_steps_may_be_on_a_network_of_the_project_or_of_a_service(bench: Bench) -> None:
    assert describe(bench, network="back").network == "network:shop_back"
    assert describe(bench, network="shop_back").network == "network:shop_back"
    assert describe(bench, network="service:base").network == "service:shop/base"
    assert "did you mean `back`?" in hinted(bench, network="bakc")
    assert "did you mean `service:base`?" in hinted(bench, network="service:bas")


def hinted(bench: Bench, **build: Any) -> str:
    with pytest.raises(ProjectError) as caught:
        describe(bench, **build)
    return "\n".join(diagnostic.hint for diagnostic in caught.value.diagnostics)


def test_a_context_behind_ssh_has_the_user_s_agent(bench: Bench) -> None:
    (bench.root / "agent").write_text("")
    around = {"SSH_AUTH_SOCK": str(bench.root / "agent")}

    for context in ("git@example.com:owner/app.git", "ssh://git@example.com/owner/app.git#main"):
        assert describe(bench, context=context, surroundings=around).ssh == {"default": around["SSH_AUTH_SOCK"]}
        assert describe(bench, context=context).ssh == {}
    assert describe(bench, context="https://example.com/app.git", surroundings=around).ssh == {}
