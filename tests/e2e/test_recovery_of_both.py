"""Keeper and engine killed at once: the data plane has what containers need, and gives it to the next keeper."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.harness import HTTP, IDLE, Engine, Project, eventually, fetched, is_gone
from tests.make.ports import free_port

ASKING = """["sh", "-c", "while read line; do echo heard $$line; done"]"""


def start(engine: Engine, port: int) -> Project:
    shop = engine.project(f"""
        services:
          web: {{image: host, command: {HTTP}, ports: ["{port}:8000"]}}
          client: {{image: host, command: {IDLE}, depends_on: [web]}}
          shell: {{image: host, command: {ASKING}, tty: true, stdin_open: true}}
    """)
    shop.up()
    fetched(f"http://127.0.0.1:{port}/")
    return shop


def kill(engine: Engine, *victims: str) -> None:
    status = engine.status()
    for victim in victims:
        os.kill(status[victim], signal.SIGKILL)
    for victim in victims:
        eventually(lambda victim=victim: is_gone(status[victim]))  # type: ignore[misc]


@pytest.fixture(params=["engine", "ordinary"])
def whose(request: pytest.FixtureRequest) -> Engine:
    """An engine of root, and one of an ordinary user."""
    engine: Engine = request.getfixturevalue(request.param)
    return engine


def test_containers_keep_networks_ports_names_and_terminals(whose: Engine) -> None:
    port = free_port()
    shop = start(whose, port)
    pids = {name: entry["Pid"] for name, entry in shop.ps().items()}

    kill(whose, "keeper", "engine")

    fetched(f"http://127.0.0.1:{port}/")  # nobody has started anything again
    assert {name: entry["Pid"] for name, entry in shop.ps().items()} == pids
    assert [entry["State"] for entry in shop.ps().values()] == ["running"] * 3
    fetched(f"http://127.0.0.1:{port}/")
    assert shop.exec("client", "getent", "hosts", "web").stdout
    assert "hello" in shop.exec("client", "python3", "-c", ASK).stdout
    assert "created" not in shop.up().output.lower()
    shop.compose("restart", "web", check=True)
    fetched(f"http://127.0.0.1:{port}/")


ASK = "import urllib.request as u; u.urlopen('http://web:8000/'); print('hello')"


def test_the_data_plane_ends_with_the_last_container(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()
    container = shop.container("web")["Pid"]
    status = engine.status()
    kill(engine, "keeper", "engine")
    assert not is_gone(status["data_plane"])

    os.kill(container, signal.SIGKILL)

    eventually(lambda: is_gone(status["data_plane"]))
    assert not (engine.run / "plane.sock").exists()


def test_after_the_death_of_everybody_up_makes_the_network_again(ordinary: Engine) -> None:
    port = free_port()
    shop = ordinary.project(f"""
        services:
          web: {{image: host, command: {HTTP}, ports: ["{port}:8000"]}}
          client: {{image: host, command: {IDLE}, depends_on: [web]}}
    """)
    shop.up()
    pids = {name: entry["Pid"] for name, entry in shop.ps().items()}

    kill(ordinary, "keeper", "engine", "data_plane", "pump")

    assert {name: entry["Pid"] for name, entry in shop.ps().items()} == pids
    assert shop.exec("client", "echo", "still here").stdout == "still here\n"
    assert any("lost its network" in note for note in ordinary.status()["notes"])
    shop.up()
    fetched(f"http://127.0.0.1:{port}/")
    assert "hello" in shop.exec("client", "python3", "-c", ASK).stdout
