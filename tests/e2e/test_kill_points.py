"""SIGKILL to engine or keeper at many moments of `up` and `down`: the next command always completes the work."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine, eventually

SHOP = f"""
services:
  db: {{image: host, command: {IDLE}, volumes: ["data:/data"], healthcheck: {{test: "true", interval: 1s}}}}
  api: {{image: host, command: {IDLE}, depends_on: {{db: {{condition: service_healthy}}}}}}
  web: {{image: host, command: {IDLE}, depends_on: [api], ports: ["80"], volumes: ["/anonymous"]}}
volumes: {{data: }}
"""

POINTS = [n / 100 for n in range(0, 40, 2)]


CREW = f"""
services:
  health: {{image: host, command: {IDLE}, healthcheck: {{test: "true", interval: 1s}}, volumes: ["/anonymous"]}}
  user: {{image: host, command: {IDLE}, user: "65534:65534"}}
  tty: {{image: host, command: {IDLE}, init: true, tty: true}}
  stdin: {{image: host, command: {IDLE}, stdin_open: true, ports: ["80"]}}
"""


def kill_over_start(keeper: int, nth: int, seconds: float) -> threading.Thread:
    """SIGKILL to the keeper, `seconds` after it has cloned the `nth` process from now on."""

    def children() -> set[str]:
        try:
            return set(Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split())
        except OSError:
            return set()

    def watch() -> None:
        before, seen, deadline = children(), set[str](), time.monotonic() + 20
        while len(seen) < nth and time.monotonic() < deadline:
            seen |= children() - before
            time.sleep(0.0005)
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGKILL)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def kill_later(pid: int, seconds: float) -> threading.Timer:
    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(seconds, kill)
    timer.start()
    return timer


@pytest.mark.soak
@pytest.mark.parametrize("seconds", POINTS)
@pytest.mark.parametrize("victim", ["engine", "keeper"])
def test_up_and_down_survive_a_kill_at_any_moment(engine: Engine, victim: str, seconds: float) -> None:
    shop = engine.project(SHOP)
    shop.up()
    shop.edit("interval: 1s", "interval: 2s")  # every container but web is made again
    anonymous = shop.container("web")["Mounts"]

    timer = kill_later(engine.pid(victim), seconds)
    shop.up("--force-recreate")
    timer.join()
    shop.up()
    assert {entry["State"] for entry in shop.ps().values()} == {"running"}
    assert len(shop.ps()) == 3
    assert shop.container("web")["Mounts"] == anonymous
    assert "nothing to do" in shop.compose("up", "--dry-run", check=True).output

    timer = kill_later(engine.pid(victim), seconds / 2)
    shop.down()
    timer.join()
    shop.down()
    assert shop.ps() == {}


@pytest.mark.soak
@pytest.mark.parametrize("seconds", POINTS)
def test_a_restart_comes_to_its_end_though_client_and_engine_are_killed_at_any_moment(
    engine: Engine, seconds: float
) -> None:
    shop = engine.project(SHOP)
    shop.up()
    server = engine.pid("engine")
    restarting = shop.start("restart")

    timer = kill_later(server, seconds)
    timer.join()
    restarting.kill()

    eventually(lambda: {entry["State"] for entry in shop.ps().values()} == {"running"})
    shop.compose("stop", "web", check=True)
    assert shop.container("web")["State"] == "exited"
    assert {shop.container(service)["State"] for service in ("db", "api")} == {"running"}


@pytest.mark.parametrize("nth", [3, *(pytest.param(nth, marks=pytest.mark.soak) for nth in (1, 2, *range(4, 10)))])
def test_a_keeper_that_dies_over_starts_is_replaced_and_leaves_nothing(engine: Engine, nth: int) -> None:
    crew = engine.project(CREW)
    crew.up()
    for step in range(4):
        thread = kill_over_start(engine.pid("keeper"), nth, step * 0.003)
        crew.up("--force-recreate")
        thread.join()
        assert {entry["State"] for entry in crew.ps().values()} == {"running"}
        assert len(crew.ps()) == 4
        assert "nothing to do" in crew.compose("up", "--dry-run", check=True).output
        crew.down()
        ours = {str(pid) for pid in engine.status().values() if isinstance(pid, int)}
        eventually(lambda: not remnants(engine, ours), message=lambda: "\n".join(remnants(engine, ours)))  # noqa: B023
        crew.up()


def remnants(engine: Engine, ours: set[str]) -> list[str]:
    """What containers have left behind, beside the engine's own processes."""
    found = [line for line in engine.leftovers() if line.startswith(("process", "mount", "link", "cgroup"))]
    cgroups = [line for line in found if line.startswith("cgroup") and len(line.rpartition("/")[2]) == 64]
    return cgroups + [line for line in found if not line.startswith("cgroup") and line.split()[1] not in ours]
