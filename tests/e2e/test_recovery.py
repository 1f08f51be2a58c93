"""kill -9 of any of our processes, at bad moments: nothing is lost, the next command carries on, nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.harness import HTTP, IDLE, Engine, Project, eventually, is_gone
from tests.make.ports import free_port

COUNTING = (
    """["sh", "-c", "trap 'exit 7' TERM; i=0; while :; do echo line $$i; i=$$((i+1)); sleep 0.01 & wait; done"]"""
)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def web_and_client(engine: Engine) -> tuple[Project, int]:
    port = free_port()
    shop = engine.project(f"""
        services:
          web: {{image: host, command: {HTTP}, ports: ["{port}:8000"]}}
          client: {{image: host, command: {IDLE}, depends_on: [web]}}
    """)
    shop.up()
    eventually(lambda: answers(port))
    return shop, port


@pytest.mark.parametrize("victims", [("engine",), ("keeper",), ("data_plane",), ("pump",), ("engine", "keeper")])
def test_containers_ports_and_names_live_on(engine: Engine, victims: tuple[str, ...]) -> None:
    shop, port = web_and_client(engine)
    before = shop.ps()

    pids = [engine.pid(victim) for victim in victims]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)

    # Each of the two starts the other again; where both are gone, the next command does.
    eventually(lambda: shop.compose("ps", "-a").code == 0)
    eventually(lambda: answers(port))
    after = shop.ps()
    assert {name: entry["Pid"] for name, entry in after.items()} == {n: e["Pid"] for n, e in before.items()}
    eventually(lambda: shop.compose("exec", "-T", "client", "getent", "hosts", "web").code == 0)
    assert "created" not in shop.up().output.lower()


def test_logs_and_exit_codes_are_complete_after_the_engine_was_killed(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {COUNTING}}}\n")
    shop.up()
    eventually(lambda: len(shop.logs()) > 5)

    engine.kill("engine")
    eventually(lambda: len(shop.logs()) > 50)
    engine.kill("engine")
    shop.compose("stop", check=True)

    assert shop.container("web")["ExitCode"] == 7
    lines = shop.logs()
    assert lines == [f"line {number}" for number in range(len(lines))]


def test_an_exit_while_no_engine_looks_is_known_afterwards(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {COUNTING}}}\n")
    shop.up()
    eventually(lambda: len(shop.logs()) > 5)
    container = shop.container("web")["Pid"]

    os.kill(engine.pid("engine"), signal.SIGKILL)
    os.kill(container, signal.SIGTERM)

    assert shop.wait_state("web", "exited")["ExitCode"] == 7


def test_after_the_keepers_death_a_container_can_be_stopped_and_its_log_goes_on(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {COUNTING}}}\n")
    shop.up()
    eventually(lambda: len(shop.logs()) > 5)

    engine.kill("keeper")
    eventually(lambda: shop.compose("ps").code == 0)
    count = len(shop.logs())
    eventually(lambda: len(shop.logs()) > count + 5)
    shop.compose("stop", check=True)

    assert shop.container("web")["State"] == "exited"
    lines = shop.logs()
    assert lines == [f"line {number}" for number in range(len(lines))]


def test_a_start_that_no_record_knows_leaves_no_port_behind(engine: Engine) -> None:
    shop, port = web_and_client(engine)
    running, keeper = engine.pid("engine"), engine.pid("keeper")
    os.kill(keeper, signal.SIGSTOP)
    os.kill(running, signal.SIGKILL)
    eventually(lambda: is_gone(running))
    with contextlib.closing(sqlite3.connect(engine.data / "state.db")) as state, state:
        # As if the engine had died between opening the port and entering the container that it is for.
        state.execute("DELETE FROM containers WHERE record LIKE ?", ("%shop-web-1%",))
    os.kill(keeper, signal.SIGCONT)

    assert list(shop.ps()) == ["shop-client-1"]

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert f"tcp . {port}" not in rules
    shop.up()
    eventually(lambda: answers(port))


MANY = "services:\n" + "".join(f"  s{n}: {{image: host, command: {IDLE}}}\n" for n in range(8))


@pytest.mark.parametrize(
    ("victim", "created"),
    [
        ("engine", 0),
        ("engine", 3),
        ("engine", 7),
        ("keeper", 0),
        pytest.param("keeper", 3, marks=pytest.mark.soak),  # beside the other kill points
        pytest.param("keeper", 7, marks=pytest.mark.soak),
    ],
)
def test_killed_during_up_the_next_up_completes_it(engine: Engine, victim: str, created: int) -> None:
    shop = engine.project(MANY)
    running = shop.start("up", "-d")
    kill_when_there(engine, victim, lambda: len(list((engine.data / "containers").glob("*"))) >= created)
    running.wait()

    shop.up()
    assert {entry["State"] for entry in shop.ps().values()} == {"running"}
    assert len(shop.ps()) == 8
    assert "nothing to do" in shop.compose("up", "--dry-run", check=True).output


@pytest.mark.parametrize("victim", ["engine", "keeper"])
def test_killed_during_down_the_next_down_completes_it(engine: Engine, victim: str) -> None:
    shop = engine.project(MANY)
    shop.up()
    pid = engine.pid(victim)
    running = shop.start("down")
    os.kill(pid, signal.SIGKILL)
    running.wait()

    shop.down()
    assert shop.ps() == {}


def test_a_client_killed_during_up_leaves_what_the_next_up_completes(engine: Engine) -> None:
    shop = engine.project(MANY)
    running = shop.start("up", "-d")
    eventually(lambda: len(list((engine.data / "containers").glob("*"))) > 2)
    running.kill()

    shop.up()
    assert {entry["State"] for entry in shop.ps().values()} == {"running"}


def test_records_of_a_newer_composer_are_told_at_once_and_nothing_tries_for_ever(engine: Engine) -> None:
    engine.compose("ls", check=True)
    keeper = engine.pid("keeper")
    engine.compose("engine", "stop", check=True)
    eventually(lambda: is_gone(keeper))
    with contextlib.closing(sqlite3.connect(engine.data / "state.db")) as records:
        records.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        records.commit()

    refused = engine.compose("ls")

    assert refused.code != 0
    assert "was written by a newer composer" in refused.stderr
    assert "hint: upgrade composer" in refused.stderr
    assert "engine.log" not in refused.stderr
    eventually(lambda: not Path(engine.run, "keeper.sock").exists(), message="the keeper goes on")
    with contextlib.closing(sqlite3.connect(engine.data / "state.db")) as records:
        records.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
        records.commit()
    engine.compose("ls", check=True)


def test_two_ups_at_once_give_one_project(engine: Engine) -> None:
    shop = engine.project(MANY)
    both = [shop.start("up", "-d"), shop.start("up", "-d")]

    assert [running.wait() for running in both] == [0, 0]
    assert len(shop.ps()) == 8
    assert {entry["State"] for entry in shop.ps().values()} == {"running"}


def test_down_does_not_wait_for_an_up_that_waits_for_health(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          sick: {{image: host, command: {IDLE}, healthcheck: {{test: "false", interval: 1s, retries: 1000}}}}
          web: {{image: host, command: {IDLE}, depends_on: {{sick: {{condition: service_healthy}}}}}}
    """)
    running = shop.start("up", "-d")
    running.until("aiting")

    shop.down()

    assert running.wait() != 0
    assert shop.ps() == {}


@pytest.mark.parametrize("broken_off", ["ctrl-c", "engine", "stop"])
def test_a_restart_that_is_broken_off_comes_to_its_end_unless_somebody_stops_it(
    engine: Engine, broken_off: str
) -> None:
    program = "trap 'touch /w/asked; until [ -e /w/go ]; do sleep 0.02; done; exit' TERM; touch /w/up; sleep inf & wait"
    shop = engine.project(f"""
        services:
          db: {{image: host, command: ["sh", "-c", "{program}"], volumes: ["./w:/w"], stop_grace_period: 1h}}
          web: {{image: host, command: {IDLE}, depends_on: [db]}}
    """)
    shop.up()
    before, files = shop.ps(), shop.directory / "w"
    eventually((files / "up").exists)
    restarting = shop.start("restart")
    eventually((files / "asked").exists)
    assert shop.container("web")["State"] == "exited"

    if broken_off == "engine":
        restarting.kill()
        os.kill(engine.pid("engine"), signal.SIGKILL)
    else:
        restarting.interrupt()
        assert restarting.wait() == 130
    if broken_off == "stop":
        shop.compose("stop", "web", check=True)
    (files / "go").touch()

    eventually(lambda: shop.container("db")["Pid"] not in (before["shop-db-1"]["Pid"], 0))
    if broken_off == "stop":
        assert shop.container("web")["State"] == "exited"
    else:
        eventually(lambda: shop.container("web")["Pid"] not in (before["shop-web-1"]["Pid"], 0))


def kill_when_there(engine: Engine, victim: str, ready: Callable[[], bool]) -> None:
    """SIGKILL a process of an engine that a command is starting just now."""
    file = engine.run / "keeper.pid"
    eventually(lambda: file.exists() and file.read_text().strip() and ready())
    keeper = int(file.read_text().split()[0])
    os.kill(keeper if victim == "keeper" else eventually(lambda: engine_below(keeper)), signal.SIGKILL)


def engine_below(keeper: int) -> int:
    """The keeper's child that is the engine, 0 while there is none."""
    for child in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
        with contextlib.suppress(OSError):  # others of its children come and go
            if b"composer.server" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return 0
