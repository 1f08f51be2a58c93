"""What is wrong with a file or an image is said in a sentence, with its place; never in a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine, Project, Result, eventually, free_port

WRONG_FILES = {
    "broken YAML": ("services: {web: {image: host", ["compose.yaml:1", "not YAML"]),
    "a tab": ("services:\n  web:\n\timage: host\n", ["compose.yaml:3:1", "tab"]),
    "a key given twice": ("services:\n  web:\n    image: a\n    image: b\n", ["compose.yaml:4:5", "`image`", "twice"]),
    "a wrong type": (
        "services:\n  web:\n    image: a\n    ports: 80\n",
        ["compose.yaml:4", "services.web.ports", "list"],
    ),
    "a misspelt attribute": (
        "services:\n  web:\n    imgae: a\n",
        ["compose.yaml:3", "`imgae`", "did you mean `image`"],
    ),
    "a circle": (
        "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n"
        "  c: {image: x, depends_on: [a]}\n",
        ["circle", "`a` → `b` → `c` → `a`", "compose.yaml:"],
    ),
    "an unknown volume": (
        "services:\n  web: {image: a, volumes: ['dta:/x']}\nvolumes: {data: }\n",
        ["compose.yaml:2", "no volume `dta`", "did you mean `data`"],
    ),
    "an unknown network": (
        "services:\n  web: {image: a, networks: [bakc]}\nnetworks: {back: }\n",
        ["compose.yaml:2", "no network `bakc`", "did you mean `back`"],
    ),
    "an unknown service": (
        "services:\n  web: {image: a, depends_on: [datbase]}\n  database: {image: a}\n",
        ["compose.yaml:2", "no service `datbase`", "`database`"],
    ),
    "ranges of unequal length": (
        "services:\n  web: {image: a, ports: ['8000-8002:80-81']}\n",
        ["compose.yaml:2", "3 host ports", "2 container ports"],
    ),
    "a port that is none": ("services:\n  web: {image: a, ports: ['99999:80']}\n", ["compose.yaml:2", "99999"]),
    "a name for two": (
        "services:\n  web: {image: a, container_name: x, scale: 2}\n",
        ["compose.yaml:2", "`container_name`", "2 replicas"],
    ),
    "a missing env file": ("services:\n  web: {image: a, env_file: nosuch.env}\n", ["compose.yaml:2", "nosuch.env"]),
    "no image and no build": ("services:\n  web: {command: x}\n", ["compose.yaml:2", "web", "image"]),
    "a missing required variable": (
        "services:\n  web: {image: '${NOSUCH:?say which}'}\n",
        ["compose.yaml:2", "NOSUCH", "say which"],
    ),
}


@pytest.mark.parametrize(("text", "words"), WRONG_FILES.values(), ids=[name.replace(" ", "-") for name in WRONG_FILES])
def test_a_wrong_file_is_refused_with_its_place(engine: Engine, text: str, words: list[str]) -> None:
    result = engine.project(text).compose("up", "-d")

    assert result.code != 0, result
    _explains(result, *words)
    assert list(engine.run.iterdir()) == [], "an engine was started for a file that cannot be"


def test_no_file_and_a_file_that_is_not_there_are_told_apart(engine: Engine) -> None:
    empty = engine.compose("up", "-d")
    assert empty.code != 0
    _explains(empty, "compose.yaml")

    missing = engine.compose("-f", "nosuch.yaml", "up", "-d")
    assert missing.code != 0
    _explains(missing, "nosuch.yaml")


def test_what_the_image_does_not_have_is_named(engine: Engine) -> None:
    """One engine for all of these: each `up` replaces the container of the one before."""

    def up(attributes: str, *words: str, code: int = 1) -> None:
        shop = engine.project(f"services:\n  web: {{{attributes}}}\n")
        result = shop.compose("up", "-d")
        assert result.code == code, result
        _explains(result, *words)
        assert all(entry["State"] != "running" for entry in shop.ps().values())

    up("image: 'nosuch:1'", "`nosuch:1`", "compose image import", "compose.yaml:2")
    up(f"image: host, user: nosuchuser, command: {IDLE}", "no such user", "`nosuchuser`")
    up(f"image: host, user: 'root:nosuchgroup', command: {IDLE}", "no such group", "`nosuchgroup`")
    up("image: host, command: nosuchprogram", "`nosuchprogram`", "command:", code=127)
    up("image: host, command: /etc/passwd", "`/etc/passwd`", "executed", code=126)
    up(f"image: host, working_dir: /etc/passwd, command: {IDLE}", "/etc/passwd", "not a directory")
    source = "{type: bind, source: ./nosuch, target: /x, bind: {create_host_path: false}}"
    up(f"image: host, volumes: [{source}], command: {IDLE}", "nosuch", "create_host_path")


def test_an_image_without_a_command_says_what_is_missing(stocked: Engine, image_tars: dict[str, Path]) -> None:
    stocked.compose("image", "import", str(image_tars["busybox"]), "bare:1", check=True)
    shop = stocked.project("services:\n  web: {image: 'bare:1'}\n")

    result = shop.compose("up", "-d")

    assert result.code != 0, result
    _explains(result, "bare:1", "command")


def test_a_taken_port_names_who_has_it(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}, ports: ['127.0.0.1:{port}:80']}}\n")
        taken = shop.compose("up", "-d")
        assert taken.code == 1, taken
        _explains(taken, str(port), "pid ")
    shop.up()

    mall = engine.project(
        f"services:\n  web: {{image: host, command: {IDLE}, ports: ['127.0.0.1:{port}:80']}}\n", name="mall"
    )
    ours = mall.compose("up", "-d")
    assert ours.code == 1, ours
    _explains(ours, str(port), "shop-web-1")

    shop.down()
    mall.up()
    assert mall.container("web")["State"] == "running"


def test_two_services_on_one_port_leave_one_of_them_running(engine: Engine) -> None:
    port = free_port()
    shop = engine.project(
        f"services:\n  a: {{image: host, command: {IDLE}, ports: ['{port}:80']}}\n"
        f"  b: {{image: host, command: {IDLE}, ports: ['{port}:80']}}\n"
    )

    result = shop.compose("up", "-d")

    assert result.code != 0, result
    _explains(result, str(port))


def test_building_says_that_it_is_not_there_yet(engine: Engine) -> None:
    result = engine.project("services:\n  web: {build: .}\n").compose("up", "-d", "--build")

    assert result.code == 1, result
    _explains(result, "build")


def test_services_and_projects_that_are_not_there_are_named(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")

    for arguments in (("up", "-d", "wbe"), ("logs", "wbe"), ("stop", "wbe"), ("run", "wbe", "true")):
        result = shop.compose(*arguments)
        assert result.code != 0, result
        _explains(result, "wbe")


def test_a_directory_that_cannot_be_written_is_named(engine: Engine) -> None:
    shop = Project(engine, engine.home)
    shop.write(f"services:\n  web: {{image: host, command: {IDLE}}}\n")

    result = shop.compose("up", "-d", environment={"COMPOSER_DATA": "/proc/nosuch/data"})

    assert result.code == 1, result
    _explains(result, "/proc/nosuch")


def test_a_killed_client_leaves_an_engine_that_goes_on(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    up = shop.start("up")
    eventually(lambda: shop.ps().get("shop-web-1", {}).get("State") == "running")

    up.kill()

    assert shop.container("web")["State"] == "running"


def _explains(result: Result, *words: str) -> None:
    assert "Traceback" not in result.output, result
    assert "engine made a mistake" not in result.output, result
    assert "error: " in result.stderr, result
    for word in words:
        assert word in result.output, f"no `{word}` in\n{result}"
