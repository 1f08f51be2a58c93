"""Watching programs as people write them: a development server with a reloader of its own, beside a service nobody touches."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.harness import IDLE, REPOSITORY, Engine, ScenarioError, eventually, fetch
from tests.make.ports import free_port
from tests.patience import PATIENCE

_APP = """
from flask import Flask
import words
app = Flask(__name__)

@app.get("/")
def hello():
    return words.GREETING
"""


@pytest.fixture
def flask(tmp_path: Path) -> Path:
    """Flask, from the package index."""
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--target", str(site), "flask"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


@pytest.mark.soak
def test_flask_reloads_itself_when_files_arrive(engine: Engine, flask: Path) -> None:
    port = free_port()
    shop = engine.project(
        f"""
        services:
          web:
            image: host
            command: [python3, -m, flask, --app, app, run, --debug, --host, 0.0.0.0, --port, "8000"]
            working_dir: /app
            environment: {{PYTHONPATH: /site}}
            volumes: ['{flask}:/site:ro']
            ports: ['127.0.0.1:{port}:8000']
            stop_grace_period: 0s
            develop:
              watch:
                - {{action: sync, path: ./src, target: /app}}
          db: {{image: host, command: {IDLE}}}
        """,
        files={"src/app.py": _APP, "src/words.py": "GREETING = 'one'\n"},
    )
    shop.compose("create", check=True)
    shop.up("--watch")

    def greeting() -> str:
        return answers(f"http://127.0.0.1:{port}/")

    eventually(lambda: greeting() == "one", message=lambda: "".join(shop.logs("web")))
    before = {name: entry["Pid"] for name, entry in shop.ps().items()}
    words = shop.directory / "src/words.py"
    words.with_suffix(".py~").write_text("GREETING = 'two'\n")
    words.with_suffix(".py~").rename(words)
    eventually(lambda: greeting() == "two", message=lambda: "".join(shop.logs("web")))

    words.write_text("GREETING='three'\n")
    words.write_text("GREETING = 'three'\n")  # a formatter
    eventually(lambda: greeting() == "three", message=lambda: "".join(shop.logs("web")))
    assert {name: entry["Pid"] for name, entry in shop.ps().items()} == before


async def updates(url: str, act: Callable[[], object]) -> list[str]:
    """The modules that Vite tells a page to load anew, after `act`: its own protocol, as `/@vite/client` speaks it."""
    async with aiohttp.ClientSession() as session:
        client = await (await session.get(f"{url}/@vite/client")).text()
        for module in ("main", "App"):  # only what a page has loaded is told of
            await (await session.get(f"{url}/src/{module}.jsx")).text()
        token = re.search(r'wsToken = "([^"]+)"', client)
        async with session.ws_connect(f"{url}/?token={token[1] if token else ''}", protocols=("vite-hmr",)) as socket:
            assert (await socket.receive_json(timeout=PATIENCE))["type"] == "connected"
            act()
            while (message := await socket.receive_json(timeout=PATIENCE))["type"] != "update":
                pass
            return [update["path"] for update in message["updates"]]


@pytest.mark.soak
def test_vite_replaces_a_module_in_the_page_when_its_file_arrives(connected: Engine) -> None:
    port = free_port()
    shop = connected.project(f"""
        services:
          web:
            build: {{context: ./web, target: build}}
            command: [npx, vite, --host, 0.0.0.0, --port, "8000"]
            ports: ['127.0.0.1:{port}:8000']
            stop_grace_period: 0s
            develop:
              watch:
                - {{action: sync, path: ./web, target: /app, ignore: [node_modules/]}}
                - {{action: rebuild, path: ./web/package.json}}
    """)
    shutil.copytree(REPOSITORY / "examples/webapp/web", shop.directory / "web")
    shop.compose("up", "-d", "--watch", timeout=600, check=True)
    before = shop.container("web")["Pid"]
    eventually(lambda: answers(f"http://127.0.0.1:{port}/@vite/client"), message=lambda: "".join(shop.logs("web")))
    source = shop.directory / "web/src/App.jsx"

    told = asyncio.run(
        updates(
            f"http://127.0.0.1:{port}",
            lambda: source.write_text(source.read_text().replace("served by composer", "served afresh")),
        )
    )

    assert told == ["/src/App.jsx"]
    assert "served afresh" in fetch(f"http://127.0.0.1:{port}/src/App.jsx")
    assert shop.container("web")["Pid"] == before


def answers(url: str) -> str:
    """What is at `url`; "" while nobody answers."""
    try:
        return fetch(url)
    except (OSError, HTTPException, ScenarioError):
        return ""
