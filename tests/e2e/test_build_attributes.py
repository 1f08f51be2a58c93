"""Each attribute of `build` does what it says: looked at from inside a step, or in the image."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Engine, Project, eventually
from tests.e2e.registries import busybox_image
from tests.make.image import busybox_rootfs
from tests.make.registry import Registry, running_registry


@pytest.fixture
def builder(engine: Engine, tmp_path: Path) -> Engine:
    engine.compose("image", "import", str(busybox_rootfs(tmp_path / "busybox")), "busybox", check=True)
    return engine


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as registry:
        yield registry


def project(builder: Engine, attributes: str, *steps: str, base: str = "busybox") -> Project:
    """A service whose build has these attributes and runs these steps."""
    lines = textwrap.indent(textwrap.dedent(attributes).strip(), "      ")
    text = f"services:\n  web:\n    build:\n      context: .\n{lines}\n"
    return builder.project(text, files={"Dockerfile": "\n".join((f"FROM {base}", *steps)) + "\n"})


def said(builder: Engine, attributes: str, step: str) -> list[str]:
    """What a step writes in a build with these attributes."""
    built = project(builder, attributes, f"RUN {step}").compose("build", "--no-cache", check=True)
    lines = [line for line in built.stderr.splitlines() if line.startswith("#2 ") and "." in line.split()[1]]
    return [line.split(" ", 2)[2] for line in lines]


def test_the_network_of_steps(builder: Engine) -> None:
    host, namespace = [str(Path("/proc/self/ns/net").readlink())], "readlink /proc/self/ns/net"

    assert said(builder, "network: none", "ls /sys/class/net") == ["lo"]
    assert said(builder, "network: host", namespace) == host
    assert said(builder, "network: default", namespace) != host
    assert said(builder, "entitlements: [network.host]", f"--network=host {namespace}") == host
    refused = project(builder, "labels: {}", "RUN --network=host true").compose("build")
    assert refused.code == 17
    assert "network.host" in refused.stderr


def test_what_steps_are_limited_to(builder: Engine) -> None:
    (size,) = said(builder, "shm_size: 8m", "df -k /dev/shm | tail -1 | awk '{print $2}' || true") or [""]
    assert size in ("8192", "")
    assert said(builder, "ulimits: {nofile: {soft: 123, hard: 456}}", "ulimit -Sn; ulimit -Hn") == ["123", "456"]
    assert said(builder, "extra_hosts: ['db=10.9.8.7']", "grep 10.9 /etc/hosts") == ["10.9.8.7\tdb"]


def test_the_rights_of_steps(builder: Engine) -> None:
    rights = "grep CapEff /proc/self/status | cut -f2"
    (usual,) = said(builder, "labels: {}", rights)
    (privileged,) = said(builder, "privileged: true", rights)
    (entitled,) = said(builder, "entitlements: [security.insecure]", f"--security=insecure {rights}")

    assert int(usual, 16) < int(privileged, 16) == int(entitled, 16)


def test_arguments_a_target_and_a_named_dockerfile(builder: Engine) -> None:
    shop = project(
        builder,
        """\
        dockerfile: docker/web.Dockerfile
        target: dev
        args: {GIVEN: file, FROM_SHELL: , UNSET: }
        """,
    )
    (shop.directory / "docker").mkdir()
    (shop.directory / "docker/web.Dockerfile").write_text(
        'FROM busybox AS dev\nARG GIVEN\nARG FROM_SHELL\nARG UNSET=default\nRUN echo "$GIVEN $FROM_SHELL $UNSET" > /said\n'
        "FROM busybox\nRUN exit 1\n"
    )

    def result(*options: str) -> str:
        shell = {"FROM_SHELL": "shell"}
        shop.compose("build", *options, environment=shell, check=True)
        return shop.compose("run", "--rm", "-T", "web", "cat", "/said", environment=shell).stdout

    assert result() == "file shell default\n"
    assert result("--build-arg", "GIVEN=line") == "line shell default\n"


@pytest.mark.parametrize(
    ("attribute", "option", "cached"),
    [
        ("no_cache: true", "", 1),
        ("no_cache_filter: [last]", "", 2),
        ("labels: {}", "--no-cache", 1),
        ("labels: {}", "", 3),
    ],
)
def test_steps_that_are_run_again(builder: Engine, attribute: str, option: str, cached: int) -> None:
    shop = project(builder, attribute, "RUN true > /a", "FROM 0 AS last", "RUN true > /b")
    (shop.directory / "Dockerfile").write_text(
        "FROM busybox AS first\nRUN true > /a\nFROM first AS last\nRUN true > /b\n"
    )
    shop.compose("build", check=True)

    again = shop.compose("build", *([option] if option else []), check=True)

    assert f"web  3 steps, {cached} cached, {3 - cached} run" in again.stderr


def test_newer_base_images_are_looked_for_when_asked(builder: Engine, registry: Registry, tmp_path: Path) -> None:
    base = registry.push(busybox_image(tmp_path), "base:1")
    shop = project(builder, "labels: {}", "RUN cat /greeting > /said", base=base)

    def result(*options: str) -> str:
        shop.compose("build", *options, check=True)
        return shop.compose("run", "--rm", "-T", "web", "cat", "/said", check=True).stdout

    assert result() == "hello\n"
    registry.push(busybox_image(tmp_path, greeting="moved"), "base:1")
    assert result() == "hello\n"
    assert result("--pull") == "moved\n"
    registry.push(busybox_image(tmp_path, greeting="again"), "base:1")
    shop.edit("labels: {}", "pull: true")
    assert result() == "again\n"


def test_a_newer_base_image_that_is_here_is_built_upon(builder: Engine, registry: Registry, tmp_path: Path) -> None:
    base = registry.push(busybox_image(tmp_path), "base:1")
    shop = project(builder, "labels: {}", "RUN true", base=base)
    shop.compose("up", "-d", "--no-start", check=True)
    registry.push(busybox_image(tmp_path, greeting="moved"), "base:1")
    builder.compose("image", "pull", base, check=True)

    assert shop.compose("up", "--dry-run", check=True).lines()[0] == f"build/web  ({base} changed)"


def test_steps_find_the_services_of_a_network_of_the_project(builder: Engine) -> None:
    shop = builder.project(
        """
services:
  db:
    image: busybox
    command: [sh, -c, "while true; do echo of the database | nc -l -p 5000; done"]
    networks: [back]
    stop_grace_period: 0s
  web: {build: {context: ., network: back}}
  near: {build: {context: ., network: "service:db", args: {WHERE: 127.0.0.1}}}
networks: {back: {internal: true}}
""",
        files={
            # More than once: between two clients nobody listens.
            "Dockerfile": "FROM busybox\nARG WHERE=db\n"
            "RUN for i in 1 2 3 4 5; do nc $WHERE 5000 < /dev/null > /said; test -s /said && break; sleep 0.1; done;"
            " cat /said; test -s /said\n"
        },
    )

    missing = shop.compose("build", "near")
    assert missing.code == 17
    assert "cannot run a step on the network of `db`: it does not run" in missing.stderr
    # The network is made for a step, as `up` makes it, and `up` takes it as it is.
    refused = shop.compose("build", "web")
    assert refused.code == 17
    assert "could not be run" not in refused.stderr
    assert "network/shop_back" not in shop.compose("up", "--dry-run", "db", check=True).stdout
    shop.up("db")
    listening = ("exec", "-T", "db", "sh", "-c", "netstat -ltn | grep -q :5000")
    eventually(lambda: shop.compose(*listening).code == 0)
    built = shop.compose("build", "--progress", "plain", check=True)
    assert built.stderr.count("of the database") >= 2


def test_what_is_odd_about_a_copy_is_told_with_its_line(builder: Engine) -> None:
    shop = project(builder, "labels: {}", "COPY --chown=nobody2:nogroup2 Dockerfile *.none /to/")

    built = shop.compose("build", check=True)

    assert "Dockerfile:2: `*.none` matches nothing" in built.stderr
    assert "Dockerfile:2: `--chown=nobody2:nogroup2`: there is no `nobody2` in the image" in built.stderr
    assert "there is no `nogroup2`" in built.stderr


def test_a_mode_that_is_none_is_found_before_anything_runs(builder: Engine) -> None:
    shop = project(
        builder, "args: {MODE: 9}", "RUN echo begun", "COPY --chmod=rwx Dockerfile /", "COPY --chown=a:b:c Dockerfile /"
    )

    refused = shop.compose("build")

    assert "`--chmod=rwx` is no mode" in refused.stderr
    assert "`--chown=a:b:c` is no owner" in refused.stderr
    assert "begun" not in refused.stderr
    assert "is no mode" in shop.compose("build", "--check").stdout
    later = project(
        builder, "args: {MODE: 9}", "ARG MODE", "RUN echo begun", "COPY --chmod=$MODE Dockerfile /"
    ).compose("build")
    assert "`--chmod=9` is no mode" in later.stderr
    assert "begun" not in later.stderr
