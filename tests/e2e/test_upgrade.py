"""An engine that outlives an upgrade makes way for one of the new code: containers and everybody at work notice nothing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer import __version__
from composer.api.starter import forkserver_pid
from composer.paths import Paths
from tests.e2e.harness import HTTP, IDLE, REPOSITORY, Engine, eventually, fetched, is_gone
from tests.make.ports import free_port

NEWER = "99.1.0"
COUNTING = (
    """["sh", "-c", "trap 'exit 7' TERM; i=0; while :; do echo line $$i; i=$$((i+1)); sleep 0.01 & wait; done"]"""
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a copy of the package that calls itself a newer version, and whose keeper is of other code."""
    directory = tmp_path_factory.mktemp("newer")
    shutil.copytree(REPOSITORY / "composer", directory / "composer", ignore=shutil.ignore_patterns("__pycache__"))
    marker = directory / "composer" / "__init__.py"
    marker.write_text(marker.read_text().replace(__version__, NEWER))
    with (directory / "composer" / "keeper" / "loop.py").open("a") as file:
        file.write("\n# newer\n")
    directory.parent.chmod(0o755)
    directory.chmod(0o755)
    return directory


@contextlib.contextmanager
def upgraded(engine: Engine, copy: Path) -> Iterator[None]:
    """Commands are of the newer copy meanwhile."""
    before, engine.python_path = engine.python_path, str(copy)
    try:
        yield
    finally:
        engine.python_path = before


def test_containers_ports_logs_and_exit_codes_go_on_with_the_newer_engine(engine: Engine, copy: Path) -> None:
    port = free_port()
    shop = engine.project(f"""
        services:
          web: {{image: host, command: {HTTP}, ports: ["{port}:8000"]}}
          counter: {{image: host, command: {COUNTING}}}
    """)
    shop.up()
    fetched(f"http://127.0.0.1:{port}/")
    pids = {name: entry["Pid"] for name, entry in shop.ps().items()}
    before = engine.status()

    engine.python_path = str(copy)
    assert {name: entry["Pid"] for name, entry in shop.ps().items()} == pids
    after = engine.status()
    fetched(f"http://127.0.0.1:{port}/")
    assert shop.exec("web", "echo", "hi").stdout == "hi\n"
    shop.compose("stop", "counter", check=True)

    assert (before["version"], after["version"]) == (__version__, NEWER)
    assert before["engine"] != after["engine"]
    assert before["keeper"] == after["keeper"]
    assert str(copy) in Path(f"/proc/{after['keeper']}/cmdline").read_text()
    assert before["data_plane"] != after["data_plane"]
    assert engine.status()["engine"] == after["engine"]
    assert is_gone(before["engine"])
    assert shop.container("counter")["ExitCode"] == 7
    lines = shop.logs("counter")
    assert lines == [f"line {number}" for number in range(len(lines))]


def test_an_older_command_takes_the_newer_engine_as_it_is(engine: Engine, copy: Path) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    with upgraded(engine, copy):
        shop.up()
        newer = engine.status()

    assert shop.exec("web", "echo", "hi").stdout == "hi\n"

    assert engine.status()["engine"] == newer["engine"]


def test_who_is_attached_stays_so_to_the_end(engine: Engine, copy: Path) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()
    count = "i=0; while [ ! -e /tmp/stop ]; do echo $i; i=$((i+1)); sleep 0.02; done; echo end; exit"
    session = shop.start("exec", "-T", "web", "sh", "-c", f"{count} 9")
    one_off = shop.start("run", "--rm", "-T", "--name", "one", "web", "sh", "-c", f"{count} 5")
    session.until("5\n")
    one_off.until("5\n")
    old = engine.status()

    with upgraded(engine, copy):
        assert "one" in shop.ps()
        assert engine.status()["engine"] != old["engine"]
        lines = len(session.output), len(one_off.output)
        eventually(lambda: len(session.output) > lines[0] + 5 and len(one_off.output) > lines[1] + 5)
        shop.exec("web", "touch", "/tmp/stop")
        Path(f"/proc/{shop.ps()['one']['Pid']}/root/tmp/stop").touch()

        assert session.wait() == 9
        assert one_off.wait() == 5
        for running in (session, one_off):
            *numbers, last = [line.strip() for line in running.output if not line.startswith(" ")]
            assert last == "end"
            assert numbers == [str(number) for number in range(len(numbers))]
        eventually(lambda: is_gone(old["engine"]), message="the old engine stayed")
        eventually(lambda: "one" not in shop.ps())


def test_work_under_way_is_finished_first_and_named(engine: Engine, copy: Path) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: {IDLE}
            healthcheck: {{test: "test -e /tmp/healthy", interval: 50ms, retries: 1000}}
          client: {{image: host, command: {IDLE}, depends_on: {{web: {{condition: service_healthy}}}}}}
    """)
    up = shop.start("up", "-d")
    web = eventually(lambda: shop.container("web")["Pid"] if len(shop.ps()) == 2 else 0)

    with upgraded(engine, copy):
        listing = shop.start("ps")
        listing.until("waiting for the engine of another version to finish `up` of `shop` (process ")
        assert up.process.poll() is None
        Path(f"/proc/{web}/root/tmp/healthy").touch()
        assert up.wait() == 0
        assert listing.wait() == 0
        assert "shop-client-1" in listing.text
        assert engine.status()["version"] == NEWER


def test_ending_what_is_waited_for_ends_the_wait(engine: Engine, copy: Path) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: {IDLE}
            healthcheck: {{test: "false", interval: 50ms, retries: 100000}}
          client: {{image: host, command: {IDLE}, depends_on: {{web: {{condition: service_healthy}}}}}}
    """)
    up = shop.start("up", "-d")
    eventually(lambda: len(shop.ps()) == 2)

    with upgraded(engine, copy):
        listing = shop.start("ps")
        listing.until("end that")
        (named,) = re.findall(r"`up` of `shop` \(process (\d+)\)", listing.text)
        os.kill(int(named), signal.SIGTERM)
        assert listing.wait() == 0, listing.text
        assert up.wait() != 0
        assert engine.status()["version"] == NEWER


@pytest.mark.parametrize(
    ("module", "fault", "words"),
    [
        ("server/wiring.py", "import nosuchlibrary", "nosuchlibrary"),
        ("engine/recovery.py", "def recover(*_rooms): raise RuntimeError('no way back')", "no way back"),
    ],
    ids=["import", "start"],
)
def test_an_engine_goes_on_where_the_newer_one_does_not_start(
    engine: Engine, copy: Path, tmp_path: Path, module: str, fault: str, words: str
) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()
    session = shop.start("exec", "-T", "web", "sh", "-c", "echo begun; until [ -e /end ]; do sleep 0.05; done; exit 7")
    session.until("begun")
    before = engine.status()
    broken = tmp_path / "broken"
    shutil.copytree(copy, broken)
    with (broken / "composer" / module).open("a") as file:
        file.write(f"\n\n{fault}\n")

    with upgraded(engine, broken):
        listing = shop.compose("ps", check=True)
        tried = (engine.run / "keeper.log").read_text()
        assert shop.exec("web", "touch", "/end").code == 0
        assert engine.status()["engine"] == before["engine"]

    assert session.wait() == 7
    assert "does not start" in listing.stderr
    assert words in listing.stderr
    assert "shop-web-1" in listing.stdout
    assert (engine.run / "keeper.log").read_text().count("makes way") == tried.count("makes way")


def test_logs_are_followed_over_the_upgrade_without_a_line_lost_or_doubled(engine: Engine, copy: Path) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {COUNTING}}}\n")
    shop.up()
    follower = shop.start("logs", "-f", "--no-log-prefix")
    follower.until("line 20\n")

    with upgraded(engine, copy):
        shop.ps()
        count = len(follower.output)
        eventually(lambda: len(follower.output) > count + 50)
        assert engine.status()["version"] == NEWER
    shop.compose("stop", check=True)
    assert follower.wait() == 0
    lines = [line for line in follower.text.splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(len(lines))]


def test_an_edit_of_the_installed_files_is_an_upgrade(engine: Engine, copy: Path, tmp_path: Path) -> None:
    edited = tmp_path / "composer"
    shutil.copytree(copy / "composer", edited)
    engine.python_path = str(tmp_path)
    engine.program = (sys.executable, "-m", "composer.client")
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()
    before = engine.status()["engine"]
    eventually(lambda: forkserver_pid(Paths(engine.data, engine.run)), 20)

    with (edited / "engine" / "looking.py").open("a") as file:
        file.write("\n# changed\n")
    shop.ps()

    after = engine.status()["engine"]
    assert after != before
    shop.ps()
    assert engine.status()["engine"] == after


def test_a_forkserver_of_other_code_leaves_with_the_engine(engine: Engine, copy: Path) -> None:
    engine.program = (sys.executable, "-m", "composer.client")
    paths = Paths(engine.data, engine.run)
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()
    old = eventually(lambda: forkserver_pid(paths), 20)

    with upgraded(engine, copy):
        shop.ps()
        eventually(lambda: is_gone(old), message="the old forkserver stayed")
        shop.ps()
        new = eventually(lambda: forkserver_pid(paths), 20)
        assert str(copy) in Path(f"/proc/{new}/cmdline").read_text()


def test_an_engine_killed_while_it_makes_way_leaves_the_newer_one_in_its_place(engine: Engine, copy: Path) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()
    session = shop.start("exec", "-T", "web", "sh", "-c", "echo begun; sleep 60")
    session.until("begun")
    pids = [entry["Pid"] for entry in shop.ps().values()]
    old = engine.status()["engine"]

    with upgraded(engine, copy):
        shop.ps()
        os.kill(old, signal.SIGKILL)

        assert [entry["Pid"] for entry in shop.ps().values()] == pids
        assert session.wait() != 0
        assert engine.status()["version"] == NEWER


ECHO = """["python3", "-u", "-c", "import os, socket\\nlistener = socket.create_server(('', 8000))\\n\
while True:\\n client = listener.accept()[0]\\n if not os.fork():\\n\
  while data := client.recv(100): client.sendall(data)"]"""
"""A server that says again what it hears, each connection in a process of its own."""


def test_a_connection_through_a_published_port_lives_on_and_ends_with_its_container(engine: Engine, copy: Path) -> None:
    port = free_port()
    shop = engine.project(f"""
        services:
          web: {{image: host, init: true, command: {ECHO}, ports: ["{port}:8000"]}}
    """)
    shop.up()
    plane = engine.status()["data_plane"]

    with eventually(lambda: conversing(port)) as connection, upgraded(engine, copy):
        shop.ps()
        assert said_again(connection, b"old\n")
        eventually(lambda: conversing(port)).close()
        assert engine.status()["data_plane"] != plane
        assert not is_gone(plane)
        shop.compose("stop", check=True)
        assert not said_again(connection, b"gone\n")
        eventually(lambda: is_gone(plane), message="the old data plane stayed")


def test_a_keeper_killed_right_after_its_upgrade_is_replaced(engine: Engine, copy: Path) -> None:
    port = free_port()
    shop = engine.project(f"""
        services:
          web: {{image: host, command: {HTTP}, ports: ["{port}:8000"]}}
          counter: {{image: host, command: {COUNTING}}}
    """)
    shop.up()
    pids = {name: entry["Pid"] for name, entry in shop.ps().items()}
    keeper = engine.status()["keeper"]

    with upgraded(engine, copy):
        listing = shop.start("ps")
        eventually(lambda: str(copy) in Path(f"/proc/{keeper}/cmdline").read_text())
        os.kill(keeper, signal.SIGKILL)
        assert listing.wait() == 0

        assert {name: entry["Pid"] for name, entry in shop.ps().items()} == pids
        fetched(f"http://127.0.0.1:{port}/")
        assert shop.exec("web", "echo", "hi").stdout == "hi\n"
        count = len(shop.logs("counter"))
        eventually(lambda: len(shop.logs("counter")) > count + 5)
        lines = shop.logs("counter")
        assert lines == [f"line {number}" for number in range(len(lines))]


def test_an_ordinary_users_keeper_and_engine_are_upgraded_inside_their_namespace(ordinary: Engine, copy: Path) -> None:
    port = free_port()
    shop = ordinary.project(f"""
        services:
          web: {{image: host, command: {HTTP}, ports: ["{port}:8000"]}}
    """)
    shop.up()
    pids = {name: entry["Pid"] for name, entry in shop.ps().items()}
    keeper = ordinary.status()["keeper"]

    newer = ordinary.root / "newer"
    shutil.copytree(copy, newer)
    ordinary.python_path = str(newer)
    assert {name: entry["Pid"] for name, entry in shop.ps().items()} == pids
    after = ordinary.status()
    assert (after["version"], after["keeper"]) == (NEWER, keeper)
    assert str(newer) in Path(f"/proc/{keeper}/cmdline").read_text()
    assert shop.exec("web", "echo", "hi").stdout == "hi\n"
    fetched(f"http://127.0.0.1:{port}/")


def conversing(port: int) -> socket.socket | None:
    """A connection to an echo that has answered, as soon as there is one."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), 5)
    except OSError:
        return None
    if said_again(connection, b"hello\n"):
        return connection
    connection.close()
    return None


def said_again(connection: socket.socket, words: bytes) -> bool:
    """Whether an echo answers; not where the connection has ended."""
    try:
        connection.sendall(words)
        return connection.recv(100) == words
    except OSError:
        return False
