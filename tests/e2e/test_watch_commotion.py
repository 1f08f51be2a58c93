"""Files change without pause while rules are read anew, containers restart and engines die: in the end everything has come."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.harness import Engine, Project, Running, eventually
from tests.e2e.test_watch import listing, root_of
from tests.e2e.test_watch_soak import Mischief
from tests.make.image import busybox_rootfs

_SHOWS = "cat /{0}/version > /shown; trap 'exit 0' TERM; while :; do sleep 0.1; done"
"""What a container was started with is in /shown."""
TEXT = f"""\
x-remark: &remark 0
services:
  synced:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    environment: {{REMARK: *remark, LEVEL: "${{LEVEL:-}}"}}
    develop:
      watch:
        - {{action: sync, path: ./src, target: /app}}
        - action: sync+exec
          path: ./run
          target: /run/it
          exec: {{command: [sh, -c, "cat /run/it/version > /shown"]}}
  restarted:
    image: busybox
    command: ["sh", "-c", "{_SHOWS.format("conf")}"]
    develop: {{watch: [{{action: sync+restart, path: ./conf, target: /conf}}]}}
  bound:
    image: busybox
    command: ["sh", "-c", "{_SHOWS.format("bound")}"]
    volumes: ["./bound:/bound:ro"]
    develop: {{watch: [{{action: restart, path: ./bound}}]}}
  built:
    build: .
    command: ["sh", "-c", "{_SHOWS.format("built")}"]
    develop: {{watch: [{{action: rebuild, path: ./built}}]}}
"""
_WATCHED = {"run": "synced", "conf": "restarted", "bound": "bound", "built": "built"}
"""Directories with a version each, and the services that show it."""
FILES = {f"{name}/version": "0" for name in _WATCHED} | {
    "src/a.py": "one",
    "Dockerfile": "FROM busybox\nCOPY built /built\n",
    ".dockerignore": "src\n",
}


class Commotion:
    """Everything at once, by a seed."""

    def __init__(self, shop: Project, seed: int, *, kills: bool) -> None:
        self.versions = dict.fromkeys(_WATCHED, "0")
        self._shop = shop
        self._random = random.Random(seed)
        self._mischief = Mischief(shop.directory / "src", seed + 1)
        self._running: list[Running] = []
        self._watchers: list[Running] = []
        rare: list[Callable[[], object]] = [
            self._remark,
            self._level,
            self._ignore,
            self._unsee,
            self._restart,
            self._join,
        ]
        self._deeds = [self._mischief.act] * 12 + [self._save] * 6 + rare + [self._kill] * kills

    def act(self) -> None:
        self._random.choice(self._deeds)()
        if self._random.random() < 0.3:
            time.sleep(self._random.random() * 0.1)

    def end(self) -> None:
        """Wait for the commands that are under way."""
        for watcher in self._watchers:
            watcher.interrupt()
        for running in self._running:
            running.wait()

    def _save(self) -> None:
        name = self._random.choice(list(self.versions))
        self.versions[name] = str(int(self.versions[name]) + 1)
        path = self._shop.directory / name / "version"
        if self._random.random() < 0.5:
            path.write_text(self.versions[name])
        else:
            path.with_name("new").write_text(self.versions[name])
            path.with_name("new").rename(path)

    def _remark(self) -> None:
        self._shop.write(TEXT.replace("&remark 0", f"&remark {self._random.randrange(3)}"))

    def _level(self) -> None:
        (self._shop.directory / ".env").write_text(f"LEVEL={self._random.randrange(3)}\n")

    def _ignore(self) -> None:
        with contextlib.suppress(OSError):  # it may be a directory by now
            (self._shop.directory / "src/.gitignore").write_text(f"# {self._random.random()}\n")

    def _unsee(self) -> None:
        (self._shop.directory / ".dockerignore").write_text(f"src\n# {self._random.random()}\n")

    def _restart(self) -> None:
        service = self._random.choice(["synced", "restarted", "bound"])
        self._running.append(self._shop.start("restart", "-t", "1", service))

    def _join(self) -> None:
        """Another watch over the same project, or the end of one."""
        if len(self._watchers) > 1:
            self._watchers.pop(0).interrupt()
        else:
            services = self._random.choice([(), ("synced",), ("bound", "built")])
            self._watchers.append(self._shop.start("watch", "--no-up", *services))

    def _kill(self) -> None:
        self._shop.compose("ps", check=True)  # one that was killed a moment ago is back
        self._shop.engine.kill("engine")


def endure(engine: Engine, rootfs: Path, seed: int, count: int, *, kills: bool) -> None:
    engine.compose("image", "import", str(busybox_rootfs(rootfs)), "busybox", check=True)
    shop = engine.project(TEXT, files=FILES)
    shop.up("--watch")
    commotion = Commotion(shop, seed, kills=kills)
    for _ in range(count):
        commotion.act()
    commotion.end()

    def behind() -> list[str]:
        found = []
        for name, service in _WATCHED.items():
            try:
                shown = (root_of(shop, service) / "shown").read_text()
            except OSError:  # it has written nothing yet, or has just ended
                shown = "nothing"
            if shown != commotion.versions[name]:
                found.append(f"{service} shows {shown}")
        here, there = listing(shop.directory / "src"), listing(root_of(shop, "synced") / "app")
        return found + [path for path in here.keys() | there.keys() if here.get(path) != there.get(path)]

    def report() -> str:
        status = shop.compose("watch", "--status").output
        return f"{behind()}\nwanted: {commotion.versions}\n{status}\n{engine.engine_logs()}"

    eventually(lambda: not behind(), message=report)
    assert "in sync" in shop.compose("watch", "--verify", check=True).stdout


def test_nothing_is_lost_while_rules_are_read_anew(engine: Engine, tmp_path: Path) -> None:
    endure(engine, tmp_path / "busybox", 1, 60, kills=False)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 14))
def test_nothing_is_lost_in_a_long_commotion(engine: Engine, tmp_path: Path, seed: int) -> None:
    endure(engine, tmp_path / "busybox", seed, 600, kills=True)
