"""What people get wrong: each has a sentence that names it, the right exit code, no traceback, and leaves nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine
from tests.make.ports import free_port


@pytest.fixture(params=["engine", "ordinary"])
def anybodys(request: pytest.FixtureRequest) -> Engine:
    """The engine of root, and that of an ordinary user."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Engine)
    return found


FILES = {
    "broken YAML": ("services:\n  web: [\n", ["compose.yaml:"]),
    "a tab": ("services:\n\tweb:\n", ["tab", "compose.yaml:2"]),
    "a duplicate key": ("services:\n  web: {image: host}\n  web: {image: host}\n", ["`web`", "compose.yaml:3"]),
    "an unknown attribute": ("services:\n  web:\n    imag: host\n", ["`imag`", "did you mean `image`", "3│"]),
    "a wrong type": ("services:\n  web:\n    image: host\n    ports: yes please\n", ["services.web.ports", ":4:"]),
    "a cycle": (
        "services:\n  a: {image: host, depends_on: [b]}\n  b: {image: host, depends_on: [c]}\n"
        "  c: {image: host, depends_on: [a]}\n",
        ["`a` → `b` → `c` → `a`"],
    ),
    "an unknown volume": (
        "services:\n  web: {image: host, volumes: ['dta:/d']}\nvolumes: {data: }\n",
        ["`dta`", "data"],
    ),
    "an unknown network": ("services:\n  web: {image: host, networks: [back]}\n", ["`back`"]),
    "an unknown service": ("services:\n  web: {image: host, depends_on: [db]}\n", ["`db`"]),
    "ranges that do not match": ("services:\n  web: {image: host, ports: ['8000-8002:80-81']}\n", ["8000-8002"]),
    "a name for two": (
        "services:\n  web: {image: host, container_name: one, deploy: {replicas: 2}}\n",
        ["container_name", "2"],
    ),
    "a missing env file": ("services:\n  web: {image: host, env_file: nope.env}\n", ["nope.env"]),
    "a port that is none": ("services:\n  web: {image: host, ports: ['99999:80']}\n", ["99999", "65535"]),
    "a required variable": ("services:\n  web: {image: '${NOSUCH:?say which}'}\n", ["NOSUCH", "say which", "2│"]),
    "neither image nor build": ("services:\n  web: {command: 'true'}\n", ["image", "build"]),
}


@pytest.mark.parametrize("case", FILES)
def test_a_mistake_in_the_file_is_explained_where_it_is(engine: Engine, case: str) -> None:
    text, words = FILES[case]
    shop = engine.project(text)

    result = shop.compose("up", "-d")

    assert result.code == 15, str(result)
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr, str(result)
    assert not (engine.data / "state.db").exists(), "no engine was needed for that"


def test_all_mistakes_are_told_at_once(engine: Engine) -> None:
    shop = engine.project("services:\n  web: {imag: host}\n  db: {image: host, ports: ['80/tpc'], depends_on: [x]}\n")

    result = shop.compose("up", "-d")

    assert result.stderr.count("error:") >= 3, str(result)


SERVICES = {
    "no such user": ("{image: host, user: bob, command: 'true'}", ["bob", "no such user", "compose.yaml:2:28"], 1),
    "no such group": ("{image: host, user: 'root:bobs', command: 'true'}", ["bobs", "no such group"], 1),
    "not found": ("{image: host, command: [nosuch]}", ["`nosuch`", "not in the image"], 127),
    "script from Windows": (
        "{image: host, command: /run.sh, volumes: ['./run.sh:/run.sh']}",
        ["`/run.sh` cannot be executed: the interpreter `/bin/sh`", "carriage return", r"sed -i 's/\r$//'"],
        127,
    ),
    "not executable": ("{image: host, command: [/etc/passwd]}", ["/etc/passwd", "cannot be executed"], 126),
    "a missing bind source": (
        "{image: host, command: 'true', volumes: [{type: bind, source: ./nope, target: /x, "
        "bind: {create_host_path: false}}]}",
        ["nope", "create_host_path"],
        1,
    ),
    "a directory on a file": (
        "{image: host, command: 'true', volumes: ['./nginx.conf:/etc/passwd']}",
        [
            "it is a directory, and what the container has there is a file",
            "compose.yaml:2",
            "remove that, and write the",
        ],
        1,
    ),
    "a missing image": ("{image: 'redis:7'}", ["`redis:7`", "compose image import"], 1),
    "a build without a Dockerfile": ("{build: .}", ["Dockerfile` does not exist", "build: ."], 15),
}


@pytest.mark.parametrize("case", SERVICES)
def test_what_cannot_start_says_why_and_what_to_try(anybodys: Engine, case: str) -> None:
    service, words, code = SERVICES[case]
    shop = anybodys.project(f"services:\n  web: {service}\n")
    (shop.directory / "run.sh").write_bytes(b"#!/bin/sh\r\necho\r\n")
    (shop.directory / "run.sh").chmod(0o755)

    result = shop.compose("up", "-d")

    assert result.code == code, str(result)
    assert "Traceback" not in result.output
    assert "hint:" in result.stderr
    for word in words:
        assert word in result.stderr, str(result)


def test_a_command_that_cannot_run_in_a_container_says_why(anybodys: Engine) -> None:
    shop = anybodys.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()

    missing = shop.compose("exec", "-T", "web", "ls -l")
    directory = shop.compose("exec", "-T", "web", "/etc")

    assert (missing.code, directory.code) == (127, 126)
    assert "error: cannot run a command in `shop-web-1`: `ls -l` is not in the container" in missing.stderr
    assert "hint: write the words one by one" in missing.stderr
    assert "`/etc` cannot be executed (permission denied" in directory.stderr


def test_a_taken_port_names_its_holder_and_nothing_half_started_stays(anybodys: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shop = anybodys.project(f"services:\n  web: {{image: host, command: {IDLE}, ports: ['127.0.0.1:{port}:80']}}\n")

        result = shop.compose("up", "-d")

        assert result.code == 1
        assert str(port) in result.stderr
        assert ("another user" if anybodys.uid else "pid") in result.stderr, str(result)
        assert shop.container("web")["State"] == "created"
    shop.up()
    assert shop.container("web")["State"] == "running"


def test_a_port_that_is_roots_is_refused_with_what_to_do(ordinary: Engine) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 7:
        pytest.skip("needs ports that are root's")
    shop = ordinary.project(f"services:\n  web: {{image: host, command: {IDLE}, ports: ['7:80']}}\n")

    result = shop.compose("up", "-d")

    assert result.code == 1
    assert "`7/tcp`" in result.stderr or "`0.0.0.0:7/tcp`" in result.stderr, str(result)
    assert "ip_unprivileged_port_start" in result.stderr


def test_a_port_of_another_project_is_named_by_its_service(anybodys: Engine) -> None:
    text = f"services:\n  web: {{image: host, command: {IDLE}, ports: ['{free_port()}:80']}}\n"
    one, two = anybodys.project(text, name="one"), anybodys.project(text, name="two")
    one.up()

    result = two.compose("up", "-d")

    assert "one-web-1" in result.stderr, str(result)
    assert "compose.yaml:2" in result.stderr
    assert "hint: `compose -p one stop web` frees it" in result.stderr
    one.down()
    two.up()
    assert two.container("web")["State"] == "running"


def test_two_services_on_one_port_are_told_of_each_other(anybodys: Engine) -> None:
    port = free_port()
    shop = anybodys.project(
        f"services:\n  a: {{image: host, command: {IDLE}, ports: ['{port}:80']}}\n"
        f"  b: {{image: host, command: {IDLE}, ports: ['{port}:80']}}\n"
    )

    result = shop.compose("up", "-d")

    assert result.code != 0, str(result)
    assert str(port) in result.stderr
    assert "Traceback" not in result.output


def test_a_container_name_of_another_project_is_refused(anybodys: Engine) -> None:
    text = f"services:\n  web: {{image: host, command: {IDLE}, container_name: only}}\n"
    one, two = anybodys.project(text, name="one"), anybodys.project(text, name="two")
    one.up()

    result = two.compose("up", "-d")

    assert result.code == 1
    assert "`only`" in result.stderr
    assert "one" in result.stderr


def test_an_image_without_a_command_says_so(stocked: Engine) -> None:
    shop = stocked.project("services:\n  web: {image: 'busybox:1', entrypoint: []}\n")

    result = shop.compose("up", "-d")

    assert result.code != 0
    assert "command" in result.stderr
    assert "Traceback" not in result.output


def test_an_imported_root_file_system_without_a_command_says_so(engine: Engine, image_tars: dict[str, Path]) -> None:
    engine.compose("image", "import", str(image_tars["busybox"]), "bare:1", check=True)

    result = engine.project("services:\n  web: {image: 'bare:1'}\n").compose("up", "-d")

    assert result.code != 0
    assert "`bare:1` has no command" in result.stderr, str(result)


def test_no_file_and_a_file_that_is_not_there_are_told_apart(engine: Engine) -> None:
    none = engine.compose("up", "-d")
    assert none.code != 0
    assert "compose.yaml" in none.stderr, str(none)

    missing = engine.compose("-f", "nosuch.yaml", "up", "-d")
    assert missing.code != 0
    assert "`nosuch.yaml`" in missing.stderr or "/nosuch.yaml`" in missing.stderr, str(missing)


@pytest.mark.parametrize("command", ["up -d wbe", "logs wbe", "stop wbe", "exec -T wbe true", "run -T wbe true"])
def test_a_service_that_is_not_there_is_named(engine: Engine, command: str) -> None:
    shop = engine.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")

    result = shop.compose(*command.split())

    assert result.code != 0
    assert "`wbe`" in result.stderr, str(result)
    assert "Traceback" not in result.output


def test_a_data_directory_that_cannot_be_made_is_named(anybodys: Engine) -> None:
    shop = anybodys.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")

    result = shop.compose("up", "-d", environment={"COMPOSER_DATA": "/proc/nosuch/data"})

    assert result.code == 1, str(result)
    assert "/proc/nosuch" in result.stderr
    assert "Traceback" not in result.output


def test_a_command_line_that_does_not_parse_is_refused(engine: Engine) -> None:
    assert engine.compose("upp").code != 0
    assert engine.compose("up", "--no-such-flag").code != 0
    assert "Traceback" not in engine.compose("up", "--no-such-flag").output
