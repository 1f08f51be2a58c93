"""The projects in examples/, as they are in the repository: none can rot."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from pathlib import Path

from tests.e2e.harness import REPOSITORY, Engine, Project, eventually
from tests.make.ports import free_port


def fetch(url: str, data: bytes | None = None) -> str:
    """The body, "" while nobody answers."""
    try:
        with urllib.request.urlopen(url, data, timeout=20) as response:
            return str(response.read().decode())
    except OSError:
        return ""


def check_hello(engine: Engine, directory: Path) -> None:
    port = free_port()
    hello = Project(engine, directory)
    environment = {"PORT": str(port)}

    hello.compose("up", "-d", environment=environment, check=True)
    eventually(lambda: "visitor 1!" in fetch(f"http://127.0.0.1:{port}/"))
    assert "visitor 2!" in fetch(f"http://127.0.0.1:{port}/")
    again = hello.compose("up", "-d", environment=environment, check=True)
    assert "Started" not in again.output

    hello.compose("down", environment=environment, check=True)
    hello.compose("up", "-d", environment=environment, check=True)
    eventually(lambda: "visitor 3!" in fetch(f"http://127.0.0.1:{port}/"))
    hello.compose("down", "-v", environment=environment, check=True)


def test_hello_runs_as_root(engine: Engine) -> None:
    check_hello(engine, REPOSITORY / "examples" / "hello")


def test_hello_runs_as_an_ordinary_user_with_a_single_id(ordinary: Engine) -> None:
    directory = ordinary.home / "hello"
    shutil.copytree(REPOSITORY / "examples" / "hello", directory)
    check_hello(ordinary, directory)


def test_imported_runs_python_postgres_and_redis_and_keeps_their_data(stocked: Engine) -> None:
    port = free_port()
    project = Project(stocked, REPOSITORY / "examples" / "imported")
    environment = {"PORT": str(port)}
    url = f"http://127.0.0.1:{port}/"

    project.compose("up", "-d", "--wait", environment=environment, check=True)
    eventually(lambda: fetch(url))
    fetch(url, b"water the plants")
    assert json.loads(fetch(url))["notes"] == ["water the plants"]
    owner = Path(f"/proc/{project.container('db')['Pid']}/status").read_text()
    assert "\nUid:\t0\t" not in owner, "the database must not run as root"

    os.kill(stocked.pid("engine"), 9)
    eventually(lambda: json.loads(fetch(url))["notes"] == ["water the plants"])

    project.compose("down", environment=environment, check=True)
    project.compose("up", "-d", "--wait", environment=environment, check=True)
    eventually(lambda: "water the plants" in fetch(url))
    project.compose("down", "-v", environment=environment, check=True)
    assert not list((stocked.data / "volumes").glob("*"))
