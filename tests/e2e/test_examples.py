"""The projects in examples/, as they are in the repository: none can rot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import REPOSITORY, Engine, Project, eventually, free_port

NOBODY = 61234
"""A uid that no account has, and so no range in /etc/subuid: a single id is mapped."""


def fetch(url: str, data: bytes | None = None) -> str:
    """The body, "" while nobody answers."""
    try:
        with urllib.request.urlopen(url, data, timeout=10) as response:
            return str(response.read().decode())
    except OSError:
        return ""


@pytest.fixture
def ordinary() -> Iterator[Engine]:
    """An engine of an ordinary user, who may read nothing of whoever runs the tests."""
    engine = Engine(uid=NOBODY)
    engine.program, engine.python_path = installed_for_everybody(engine)
    yield engine
    assert engine.close() == []


def installed_for_everybody(engine: Engine) -> tuple[tuple[str, ...], str]:
    """The program and PYTHONPATH of a copy of composer below the engine's directory, on an interpreter that all may run."""
    copy = engine.root / "everybody"
    packages = Path(sysconfig.get_path("purelib"))
    home = copy / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    home.mkdir(parents=True)
    (copy / "bin").mkdir()
    shutil.copytree(REPOSITORY / "composer", copy / "composer", ignore=shutil.ignore_patterns("__pycache__"))
    if can(["test", "-r", str(packages / "pydantic/__init__.py")]):
        (home / "site-packages").symlink_to(packages)
    else:
        shutil.copytree(packages, home / "site-packages", ignore=shutil.ignore_patterns("mypy*", "ruff*"))
    for interpreter in (sys.executable, "/usr/bin/python3"):
        # A virtual environment by hand (pyvenv.cfg of PEP 405): the same packages on whichever interpreter can be run.
        base = Path(interpreter).resolve()
        (copy / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
        (copy / "bin/python3").unlink(missing_ok=True)
        (copy / "bin/python3").symlink_to(base)
        if can([str(copy / "bin/python3"), "-c", "import pydantic, aiohttp, yaml"]):
            return (str(copy / "bin/python3"), "-m", "composer"), str(copy)
    shutil.rmtree(engine.root)
    pytest.skip(f"needs an interpreter like {sys.executable} that every user may run")


def can(command: list[str]) -> bool:
    """Whether the ordinary user can. Through a shell: setpriv itself still has root's capabilities as it executes."""
    done = subprocess.run(
        [
            "setpriv",
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
            "sh",
            "-c",
            'exec "$@"',
            "sh",
            *command,
        ],
        capture_output=True,
        cwd="/",
    )
    return done.returncode == 0


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
