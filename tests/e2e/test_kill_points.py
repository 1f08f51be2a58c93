"""SIGKILL to engine or keeper at many moments of `up` and `down`: the next command always completes the work."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest

from tests.e2e.harness import IDLE, Engine

SHOP = f"""
services:
  db: {{image: host, command: {IDLE}, volumes: ["data:/data"], healthcheck: {{test: "true", interval: 1s}}}}
  api: {{image: host, command: {IDLE}, depends_on: {{db: {{condition: service_healthy}}}}}}
  web: {{image: host, command: {IDLE}, depends_on: [api], ports: ["80"], volumes: ["/anonymous"]}}
volumes: {{data: }}
"""

POINTS = [n / 100 for n in range(0, 40, 2)]


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
    shop.compose("up", "-d", "--force-recreate")
    timer.join()
    shop.up()
    assert {entry["State"] for entry in shop.ps().values()} == {"running"}
    assert len(shop.ps()) == 3
    assert shop.container("web")["Mounts"] == anonymous
    assert "nothing to do" in shop.compose("up", "--dry-run", check=True).output

    timer = kill_later(engine.pid(victim), seconds / 2)
    shop.compose("down")
    timer.join()
    shop.down()
    assert shop.ps() == {}
