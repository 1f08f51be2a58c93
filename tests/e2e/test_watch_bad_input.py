"""Watching what cannot be watched, or not as it was written: told, never lost, and nothing of the user's is harmed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.e2e.harness import Engine, Project, eventually
from tests.e2e.ordinary import NOBODY
from tests.e2e.test_watch import SYNC, listing, root_of, same

RULE = "{action: sync, path: ./src, target: /app}"


def watched(engine: Engine, rule: str, attributes: str = "", **files: str) -> Project:
    text = SYNC.replace(RULE, rule).replace("image: host", f"image: host{attributes}")
    shop = engine.project(text, files=files or {"src/a.py": "one"})
    shop.up("--watch")
    return shop


def status(shop: Project) -> str:
    return shop.compose("watch", "--status", check=True).stdout


def told(shop: Project, words: str) -> None:
    """Wait until the watch has said so."""
    eventually(lambda: words in status(shop), message=lambda: status(shop))


def test_a_path_that_does_not_exist_is_watched_for(engine: Engine) -> None:
    shop = watched(engine, RULE.replace("./src", "./later/src"))
    assert "compose.yaml:" in status(shop)
    assert "does not exist; it is watched for" in status(shop)

    (shop.directory / "later/src").mkdir(parents=True)
    (shop.directory / "later/src/a.py").write_text("at last")
    same(shop, "app", "later/src")


def test_a_path_outside_of_the_project_is_watched(engine: Engine) -> None:
    shared = engine.home / "shared"
    shared.mkdir()
    (shared / "lib.py").write_text("one")
    shop = watched(engine, RULE.replace("./src", "../shared"))
    (shared / "lib.py").write_text("two")

    same(shop, "app", "../shared")


def test_what_is_bound_below_a_synced_directory_is_never_written_to(engine: Engine) -> None:
    shop = engine.project(
        SYNC.replace("path: ./src", "path: .").replace("image: host", "image: host\n    volumes: ['./data:/app/data']"),
        files={"src/a.py": "one", "data/precious": "one"},
    )
    shop.up("--watch")
    precious = shop.directory / "data/precious"
    inode = precious.stat().st_ino
    precious.write_text("two")
    (shop.directory / "src/a.py").write_text("two")

    there = root_of(shop) / "app"
    eventually(lambda: (there / "src/a.py").read_text() == "two")
    assert (there / "data/precious").read_text() == "two"
    assert precious.stat().st_ino == inode
    assert "in sync" in shop.compose("watch", "--verify", check=True).stdout


def test_a_directory_that_is_bound_elsewhere_is_synced_too(engine: Engine) -> None:
    shop = watched(engine, RULE, "\n    volumes: ['./src:/srv/src:ro']")
    (shop.directory / "src/a.py").write_text("two")
    same(shop)
    assert "bound into" not in status(shop)


def test_files_on_a_volume_are_synced_and_it_is_told(engine: Engine) -> None:
    shop = engine.project(
        SYNC.replace("image: host", "image: host\n    volumes: ['data:/app']") + "volumes: {data: {}}\n",
        files={"src/a.py": "one"},
    )
    shop.up("--watch")
    assert "is on a volume" in status(shop)
    (shop.directory / "src/a.py").write_text("two")
    same(shop)
    shop.down("-v")


def test_a_file_does_not_take_the_place_of_a_directory_of_the_image(engine: Engine) -> None:
    shop = watched(engine, "{action: sync, path: ./conf, target: /etc}", conf="one")
    before = sorted(path.name for path in (root_of(shop) / "etc").iterdir())

    told(shop, "end `target` with `/`")
    assert sorted(path.name for path in (root_of(shop) / "etc").iterdir()) == before


def test_a_directory_that_is_to_go_onto_a_file_is_told(engine: Engine) -> None:
    shop = watched(engine, "{action: sync, path: ./src, target: /etc/passwd}")

    told(shop, "not a directory")
    assert "root" in (root_of(shop) / "etc/passwd").read_text()


def test_sockets_fifos_and_links_to_nowhere(engine: Engine) -> None:
    shop = watched(engine, RULE)
    source = shop.directory / "src"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))
        os.mkfifo(source / "fifo")
        (source / "link").symlink_to("/no/where")
        (source / "loop").symlink_to("loop")
        (source / "a.py").write_text("two")

        same(shop)
        assert {path.name for path in (root_of(shop) / "app").iterdir()} == {"a.py", "link", "loop"}


def test_a_file_that_cannot_be_read_is_told_and_comes_when_it_can(ordinary: Engine) -> None:
    shop = watched(ordinary, RULE)
    secret = shop.directory / "src/secret"
    secret.write_text("secret")
    os.chown(secret, 0, 0)
    secret.chmod(0o600)
    (shop.directory / "src/a.py").write_text("two")
    told(shop, "permission denied")
    eventually(lambda: shop.exec("web", "cat", "/app/a.py").stdout == "two")

    secret.chmod(0o644)
    eventually(lambda: shop.exec("web", "cat", "/app/secret").stdout == "secret")


def test_a_file_that_changes_while_it_is_copied_arrives_as_it_is_in_the_end(engine: Engine) -> None:
    shop = watched(engine, RULE)
    with (shop.directory / "src/log").open("ab", buffering=0) as growing:
        for number in range(200):
            growing.write(b"%d" % number * 20_000)
            time.sleep(0.002)

    same(shop)


def test_a_container_that_is_removed_midway_has_everything_when_it_is_back(engine: Engine) -> None:
    shop = watched(engine, RULE)

    def save() -> None:
        for number in range(1500):
            (shop.directory / f"src/f{number % 500}").write_text(str(number))

    saving = threading.Thread(target=save)
    saving.start()
    shop.compose("rm", "-sf", "web", check=True)
    saving.join()
    shop.up("--watch")

    same(shop)


def test_times_from_the_future_and_the_past_hide_nothing(engine: Engine) -> None:
    shop = watched(engine, RULE)
    for number, moment in enumerate((4_000_000_000, 1, 0)):
        path = shop.directory / f"src/f{number}"
        for text in ("one", "two", "six"):  # of one size, with one time
            path.write_text(text)
            os.utime(path, (moment, moment))
            same(shop)


def test_without_watches_of_the_kernel_it_polls_and_says_how_to_get_some(ordinary: Engine) -> None:
    command = [sys.executable, "-c", _HOARD.format(NOBODY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hoard:
        assert hoard.stdout is not None
        assert "taken" in hoard.stdout.readline()
        shop = watched(ordinary, RULE)
        assert "sysctl fs.inotify.max_user_instances" in status(shop)
        (shop.directory / "src/a.py").write_text("two")
        eventually(lambda: shop.exec("web", "cat", "/app/a.py").stdout == "two")
        logs = shop.start("logs", "-f", "web")
        shop.exec("web", "sh", "-c", "sleep 1; echo said later >/proc/1/fd/1")
        logs.until("said later")


_HOARD = """
import ctypes, os, sys
os.setresuid({0}, {0}, {0})
libc = ctypes.CDLL(None)
while libc.inotify_init1(0) >= 0: pass
print("taken", flush=True)
sys.stdin.read()
"""
"""Takes every inotify instance that a user may have, until stdin ends."""


def test_what_is_mounted_in_a_directory_is_not_removed_with_it(engine: Engine) -> None:
    shop = engine.project(
        SYNC.replace("image: host", "image: host\n    volumes: ['./data:/app/pkg/data']"),
        files={"src/pkg/b.py": "b", "data/precious": "one"},
    )
    shop.up("--watch")
    shutil.rmtree(shop.directory / "src/pkg")
    told(shop, "something is mounted there")

    assert (shop.directory / "data/precious").read_text() == "one"
    assert sorted(listing(root_of(shop) / "app/pkg")) == ["data", "data/precious"]


@pytest.mark.parametrize("text", ["x-reload: {browser: true}", "x-reload: {signal: NONE}", "x-reload: {settle: soon}"])
def test_a_reload_that_cannot_be_is_refused(engine: Engine, text: str) -> None:
    shop = engine.project(SYNC.replace("image: host", f"image: host\n    {text}"), files={"src/a.py": "one"})

    refused = shop.compose("watch", "--no-up")

    assert refused.code != 0
    assert "services.web.x-reload" in refused.output
