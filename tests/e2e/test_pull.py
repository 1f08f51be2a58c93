"""Images come from registries by themselves and when they are asked for, and go there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Engine, eventually
from tests.e2e.registries import busybox_image
from tests.fakes.faulty_proxy import Fault, faulty_proxy
from tests.make.image import Made, entry, tar
from tests.make.ports import free_port
from tests.make.registry import Registry, running_registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as registry:
        yield registry


def test_up_pulls_what_is_missing_and_runs_it(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "shop/web:1")
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n")

    dry = shop.compose("up", "--dry-run", check=True)
    assert f"pull/{reference}  (missing, compose.yaml:3)" in dry.stdout
    assert f"(known after pull of {reference})" in dry.stdout
    assert shop.compose("image", "ls", "-q", check=True).stdout == ""

    up = shop.up()
    assert f"Image {reference}  Pulled" in up.stderr
    assert shop.exec("web", "cat", "/greeting").stdout == "hello\n"
    assert "Pull" not in shop.up().stderr


def test_a_tag_that_moved_is_followed_when_asked(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n")
    shop.up()
    registry.push(busybox_image(tmp_path, greeting="again"), "web:1")

    assert "Running" in shop.up().stderr
    shop.compose("pull", check=True)
    up = shop.up()

    assert "Recreated" in up.stderr
    assert shop.exec("web", "cat", "/greeting").stdout == "again\n"


def test_a_missing_image_is_told_with_its_place_and_what_the_registry_says(engine: Engine, registry: Registry) -> None:
    shop = engine.project(f"services:\n  web:\n    image: {registry.name}/nothing:1\n")

    up = shop.compose("up", "-d")

    assert up.code == 1
    assert f"cannot pull `{registry.name}/nothing:1`" in up.stderr
    assert "no such" in up.stderr
    never = shop.compose("up", "-d", "--pull", "never")
    assert never.code == 1
    assert "not in the image store" in never.stderr


def test_a_registry_that_is_not_there_is_said_so(engine: Engine) -> None:
    name = f"127.0.0.1:{free_port()}/a:1"

    pulled = engine.compose("image", "pull", name)

    assert pulled.code == 1
    assert f"cannot pull `{name}`" in pulled.stderr
    assert "connect" in pulled.stderr


def test_failures_can_be_ignored_and_progress_be_read_by_programs(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = engine.project(
        f"services:\n  web:\n    image: {reference}\n  other:\n    image: {registry.name}/nothing:1\n"
    )

    assert shop.compose("pull", "-q").code == 1
    pulled = shop.compose("--progress", "json", "pull", "--ignore-pull-failures", check=True)

    records = [json.loads(line) for line in pulled.stderr.splitlines()]
    assert {"Image", "Warning"} & {str(record.get("status")) for record in records}
    assert any(record["text"] == "Pulled" and record["name"] == reference for record in records)
    assert shop.compose("pull", "-q", "web", check=True).output == ""


def test_what_one_engine_pushes_another_one_runs(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    mine = f"localhost:{registry.port}/mine/web:2"
    engine.compose("image", "pull", "-q", reference, check=True)
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n    build: .\n")

    assert shop.compose("push", "--dry-run", check=True).stdout == f"push/{reference}  (asked for)\n"
    assert f"Image {reference}  Pushed" in shop.compose("push", check=True).stderr
    absent = engine.compose("image", "push", mine)
    assert absent.code == 1
    assert "not in the image store" in absent.stderr


def test_blobs_that_were_pruned_come_again_when_somebody_needs_them(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n")
    shop.up()
    assert "Total reclaimed space" in engine.compose("image", "prune", "-f", "--blobs", check=True).stdout
    assert len(list((engine.data / "images/blobs/sha256").iterdir())) == 2

    assert engine.compose("image", "verify").code == 0
    assert "Pull" not in shop.up("--force-recreate").stderr
    assert shop.exec("web", "cat", "/greeting").stdout == "hello\n"
    engine.compose("image", "save", "-o", str(tmp_path / "saved.tar"), reference, check=True)

    assert len(list((engine.data / "images/blobs/sha256").iterdir())) == 4


def test_who_logs_in_may_pull(engine: Engine, tmp_path: Path) -> None:
    from tests.registry.test_access import CREDENTIALS, HTPASSWD

    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "r", "path": str(tmp_path / "htpasswd")}}
    with running_registry(tmp_path / "guarded", auth=auth) as guarded:
        reference = guarded.push(busybox_image(tmp_path), "web:1", *CREDENTIALS)

        wrong = engine.compose("login", "-u", "ann", "--password-stdin", guarded.name, stdin="wrong\n")
        assert wrong.code == 1
        assert "does not accept the credentials" in wrong.stderr
        assert "wrong" not in wrong.stderr.replace("wrong:", "")
        right = engine.compose("login", "-u", "ann", "--password-stdin", guarded.name, stdin="secret\n", check=True)
        assert f"Logged in to {guarded.name} as ann" in right.stdout
        engine.compose("image", "pull", reference, check=True)
        assert "Removed the credentials" in engine.compose("logout", guarded.name, check=True).stdout
        refused = engine.compose("image", "pull", reference)
        assert f"`compose login {guarded.name}`" in refused.stderr


def test_an_ordinary_user_pulls_and_runs(ordinary: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = ordinary.project(f"services:\n  web:\n    image: {reference}\n")

    shop.up()

    assert shop.exec("web", "cat", "/greeting").stdout == "hello\n"
    shop.down()


def test_an_ordinary_users_data_may_lie_in_memory(ordinary: Engine, registry: Registry, tmp_path: Path) -> None:
    hidden = tar(entry("x/before", b""), entry("gone", b"")), tar(entry("x/.wh..wh..opq", b""), entry(".wh.gone", b""))
    reference = registry.push(busybox_image(tmp_path, *hidden), "web:1")
    options = f"nosuid,nodev,noexec,mode=700,uid={ordinary.uid},gid={ordinary.uid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", ordinary.data], check=True)
    try:
        shop = ordinary.project(f"services:\n  web:\n    image: {reference}\n  made:\n    build: .\n")
        (shop.directory / "Dockerfile").write_text(
            f"FROM {reference}\nRUN rm /greeting && mkdir /y\nCOPY Dockerfile /y/\n"
        )
        shop.up()

        assert shop.exec("web", "sh", "-c", "ls -d /x/* /gone /greeting 2>/dev/null; :").stdout == "/greeting\n"
        assert shop.exec("made", "sh", "-c", "ls -d /x/* /y/* /greeting 2>/dev/null; :").stdout == "/y/Dockerfile\n"
        shop.down("-t", "0", "--rmi", "all")
        assert ordinary.compose("image", "ls", "-q", check=True).stdout == ""
        ordinary.compose("engine", "stop", check=True)
    finally:
        subprocess.run(["umount", "-l", ordinary.data], check=True)


def test_ctrl_c_ends_a_pull_at_once_and_leaves_nothing(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    registry.push(busybox_image(tmp_path), "web:1")
    with faulty_proxy(registry.port) as proxy:
        proxy.faults.append(Fault("GET .*/blobs/", times=99, pause=0.2))
        shop = engine.project(f"services:\n  web:\n    image: {proxy.name}/web:1\n")
        up = shop.start("up")
        eventually(lambda: proxy.asked("GET .*/blobs/"))

        up.interrupt()

        assert up.wait() == 130
        eventually(lambda: not list(engine.data.glob("*/.staging-*")))
        assert not (engine.data / "images/index.json").exists()
    assert "Pulled" not in up.text


def test_pruning_that_waits_for_a_pull_spares_what_was_started_meanwhile(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    registry.push(Made((tar(entry("a", os.urandom(200_000))),)), "slow:1")
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n")
    shop.compose("pull", "-q", check=True)
    with faulty_proxy(registry.port) as proxy:
        proxy.faults.append(Fault("GET .*/blobs/", times=99, pause=0.3))
        pull = shop.start("image", "pull", f"{proxy.name}/slow:1")
        eventually(lambda: proxy.asked("GET .*/blobs/") == 2)
        prune = shop.start("image", "prune", "-af")
        lock = (engine.data / "images/.content.lock").stat().st_ino
        eventually(lambda: re.search(rf"-> FLOCK .*:{lock} ", Path("/proc/locks").read_text()))
        shop.up()
        assert pull.wait() == prune.wait() == 0

    assert "slow" in prune.text
    assert shop.exec("web", "cat", "/greeting").stdout == "hello\n"
    assert "nothing to do" in shop.compose("up", "--dry-run", check=True).stdout


@pytest.mark.parametrize("command", [("pull",), ("up", "-d"), ("image", "pull"), ("lock",)])
def test_ctrl_c_in_a_pull_says_what_was_not_finished(
    engine: Engine, registry: Registry, tmp_path: Path, command: tuple[str, ...]
) -> None:
    registry.push(busybox_image(tmp_path), "web:1")
    with faulty_proxy(registry.port) as proxy:
        proxy.faults.append(Fault("GET .*/blobs/", times=99, pause=2))
        reference = f"{proxy.name}/web:1"
        shop = engine.project(f"services:\n  web:\n    image: {reference}\n")
        pull = shop.start(*command, *([reference] if "image" in command else []))
        eventually(lambda: proxy.asked("GET .*/blobs/"))

        pull.interrupt()

        assert pull.wait() == 130
        eventually(lambda: not list(engine.data.glob("*/.staging-*")))
        assert reference not in engine.compose("image", "ls", check=True).stdout
    assert pull.text.splitlines()[-1] == f" Image {reference}  Interrupted"


@pytest.mark.soak
@pytest.mark.parametrize("noise", [True, False], ids=["content that does not compress", "zeros"])
def test_a_pull_takes_no_more_memory_for_a_larger_layer(
    engine: Engine, registry: Registry, tmp_path: Path, noise: bool
) -> None:
    content = os.urandom(700_000_000) if noise else bytes(2_000_000_000)
    reference = registry.push(Made((tar(entry("large", content)),), compress=not noise), "large:1")
    del content
    engine.compose("image", "ls", check=True)
    status = Path(f"/proc/{engine.pid('engine')}/status")

    engine.compose("image", "pull", "-q", reference, check=True, timeout=300)

    (peak,) = (int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    assert peak < 150 * 1024
