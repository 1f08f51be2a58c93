import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from composer.__main__ import main
from composer.api.client import Client
from composer.api.messages import DownRequest, ExecRequest, ServicesRequest, UpRequest
from composer.api.streams import EventStream
from tests.fakes.engine import FakeEngine, Server

FILE = """
services:
  web:
    image: nginx:1
    depends_on: [db]
  db:
    image: postgres
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    project = tmp_path / "shop"
    project.mkdir()
    (project / "compose.yaml").write_text(FILE)
    monkeypatch.chdir(project)
    monkeypatch.setenv("COMPOSER_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("COMPOSER_DATA", str(tmp_path / "data"))
    for variable in ("COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "COMPOSE_PROGRESS", "COMPOSE_ANSI", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    with Server(tmp_path / "run" / "engine.sock") as server:
        yield server.engine


@pytest.fixture
def run(engine: FakeEngine, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(arguments)
        return code, *capfd.readouterr()

    return run


def test_up_detached_shows_progress_and_answers_nothing(run: Run, engine: FakeEngine) -> None:
    code, out, err = run("up", "-d", "--scale", "web=2", "-t", "3")

    assert (code, out) == (0, "")
    assert " Container shop-web-2  Started\n" in err
    path, body = engine.requests[0]
    assert (path, body["project"]["name"]) == ("/projects/shop/up", "shop")
    assert (body["options"]["scale"], body["options"]["timeout"]) == ({"web": 2}, 3.0)


def test_attached_up_shows_logs_and_ends_with_the_last_container(run: Run, engine: FakeEngine) -> None:
    engine.exits = {"web": 0, "db": 3}

    code, out, _ = run("up")
    lines = out.splitlines()
    assert code == 0
    assert "web-1  | hello from web" in lines
    assert lines[-2:] == ["web-1 exited with code 0", "db-1 exited with code 3"]


def test_a_ctrl_c_at_the_very_beginning_stops_what_has_been_asked_for(
    run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Client.up

    def asked_and_interrupted(client: Client, project: str, request: UpRequest) -> EventStream:
        stream = asked(client, project, request)
        os.kill(os.getpid(), signal.SIGINT)
        return stream

    monkeypatch.setattr(Client, "up", asked_and_interrupted)

    code, _, err = run("up")

    assert code == 130
    assert "Gracefully stopping" in err
    assert "/projects/shop/stop" in [path for path, _ in engine.requests]


def test_a_ctrl_c_that_comes_as_a_process_is_asked_for_reaches_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Client.execute

    def asked_and_interrupted(client: Client, project: str, request: ExecRequest) -> socket.socket:
        connection = asked(client, project, request)
        os.kill(os.getpid(), signal.SIGINT)
        return connection

    monkeypatch.setattr(Client, "execute", asked_and_interrupted)
    run("up", "-d")

    code, out, _ = run("exec", "-T", "web", "hang")

    assert code == 130
    assert '{"signal": "SIGINT"}' in out


def test_the_first_end_stops_the_rest_where_that_was_asked(run: Run, engine: FakeEngine) -> None:
    engine.exits = {"db": 3}

    code, out, err = run("up", "--abort-on-container-exit")
    assert code == 3
    assert "warning: aborting: db-1 exited with code 3" in err
    assert " Container shop-web-1  Stopped\n" in err
    assert "web-1 exited with code 143" in out


def test_the_exit_code_comes_from_the_service_that_was_named(run: Run, engine: FakeEngine) -> None:
    engine.exits = {"db": 0}

    assert run("up", "--exit-code-from", "web")[0] == 143


def test_a_dry_run_prints_the_plan(run: Run) -> None:
    assert run("up", "--dry-run")[:2] == (0, "create/shop-web-1  (new)\n")


def test_contradictions_are_refused(run: Run) -> None:
    code, _, err = run("up", "-d", "--exit-code-from", "web")

    assert code == 1
    assert "cannot be combined" in err


def test_a_service_that_is_not_there_gets_a_suggestion(run: Run, engine: FakeEngine) -> None:
    for arguments in (
        ("up", "-d", "webb"),
        ("logs", "webb"),
        ("exec", "webb", "ls"),
        ("up", "-d", "--scale", "webb=2"),
    ):
        assert run(*arguments)[2] == "error: no such service: `webb`\nhint: did you mean `web`?\n"
    assert engine.requests == []


def test_ps_shows_a_table_ids_services_or_json(run: Run) -> None:
    run("up", "-d")

    assert run("ps")[1].splitlines()[0].split() == ["NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"]
    assert run("ps", "--services")[1] == "db\nweb\n"
    assert [len(line) for line in run("ps", "-q")[1].splitlines()] == [64, 64]
    first = json.loads(run("ps", "--format", "json", "web")[1])
    assert (first["Name"], first["State"], first["Pid"]) == ("shop-web-1", "running", 4242)


def test_ps_shows_the_stopped_ones_only_when_asked(run: Run) -> None:
    run("up", "-d")
    run("stop", "web")

    assert run("ps", "--services")[1] == "db\n"
    assert run("ps", "-a", "--services")[1] == "db\nweb\n"
    assert run("ps", "--status", "exited", "--services")[1] == "web\n"
    assert "`asleep` is not a state" in run("ps", "--status", "asleep")[2]


def test_logs_are_prefixed_or_not(run: Run) -> None:
    run("up", "-d")

    assert run("logs")[1] == "web-1  | hello from web\ndb-1   | hello from db\n"
    assert run("logs", "--no-log-prefix", "db")[1] == "hello from db\n"
    assert run("logs", "--index", "2")[1] == ""


def test_a_project_can_be_worked_with_by_name_alone(
    run: Run, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("up", "-d")
    monkeypatch.chdir(tmp_path)

    assert run("-p", "shop", "ps", "--services")[1] == "db\nweb\n"
    assert run("-p", "shop", "logs", "db")[1] == "db-1  | hello from db\n"
    assert "did you mean `web`?" in run("-p", "shop", "stop", "wbe")[2]
    assert run("-p", "shop", "down", "-v", "-t", "1")[0] == 0
    assert engine.requests[-1] == (
        "/projects/shop/down",
        {
            "project": None,
            "services": [],
            "volumes": True,
            "images": "",
            "remove_orphans": False,
            "timeout": 1.0,
            "dry_run": False,
        },
    )
    assert DownRequest(volumes=True, timeout=1.0).project is None


def test_no_file_and_no_name_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    code, out, err = run("ps")
    assert (code > 0, out) == (True, "")
    assert err.startswith("error: ")


def test_a_wrong_file_is_shown_with_its_line(run: Run, engine: FakeEngine) -> None:
    Path("compose.yaml").write_text("services:\n  web:\n    imagee: nginx\n")

    code, _, err = run("up", "-d")
    assert code == 15
    assert "imagee" in err
    assert "compose.yaml:3:" in err
    assert engine.requests == []


@pytest.mark.parametrize(
    ("arguments", "verb", "request_"),
    [
        (["stop", "-t", "2", "web"], "stop", ServicesRequest(("web",), timeout=2.0)),
        (["restart", "--no-deps"], "restart", ServicesRequest(no_deps=True)),
        (["kill", "-s", "hup"], "kill", ServicesRequest(signal="SIGHUP")),
        (["rm", "-fsv"], "rm", ServicesRequest(stop=True, volumes=True)),
        (["start", "--wait"], "start", ServicesRequest(wait=True)),
    ],
)
def test_verbs_become_requests(
    run: Run, engine: FakeEngine, arguments: list[str], verb: str, request_: ServicesRequest
) -> None:
    from composer.api.codec import decode

    run("up", "-d")
    assert run(*arguments)[0] == 0
    path, body = engine.requests[-1]
    assert (path, decode(ServicesRequest, body)) == (f"/projects/shop/{verb}", request_)


def test_rm_without_a_terminal_wants_force(run: Run) -> None:
    run("up", "-d")
    assert run("rm")[1] == "No stopped containers\n"
    run("stop")

    assert "use `compose rm --force`" in run("rm")[2]


def test_exec_passes_streams_and_the_exit_code(run: Run, engine: FakeEngine) -> None:
    run("up", "-d")

    assert run("exec", "-T", "web", "echo", "-n", "hi") == (0, "-n hi\n", "and to stderr\n")
    assert run("exec", "-T", "web", "exit", "42")[0] == 42
    run("exec", "-T", "-e", "A=1", "-u", "root", "-w", "/x", "--index", "2", "web", "exit", "0")
    body = engine.requests[-1][1]
    assert (body["environment"], body["user"], body["working_dir"], body["index"]) == (["A=1"], "root", "/x", 2)


def test_exec_in_what_does_not_run_says_how_to_start_it(run: Run) -> None:
    code, _, err = run("exec", "-T", "web", "true")

    assert (code, err) == (1, "error: service `web` is not running\nhint: start it: `compose up -d web`\n")


def test_run_creates_attaches_and_takes_the_exit_code(run: Run, engine: FakeEngine) -> None:
    engine.exits = {"web": 5}

    code, out, _ = run(
        "run", "-T", "--rm", "-v", "data:/x", "-p", "8080:80", "--entrypoint", "", "web", "sh", "-c", "x"
    )
    assert (code, out) == (5, "attached to web\n")
    body = next(body for path, body in engine.requests if path.endswith("/run"))
    assert (body["command"], body["entrypoint"], body["remove"]) == (["sh", "-c", "x"], [], True)
    assert body["volumes"][0]["target"] == "/x"
    assert body["publish"][0]["published"] == "8080"


def test_run_detached_prints_the_container(run: Run, engine: FakeEngine) -> None:
    code, out, _ = run("run", "-d", "web")

    assert code == 0
    assert out.strip() == engine.containers["shop-web-run-1"].id


def test_images_are_imported_listed_and_removed(run: Run, engine: FakeEngine, tmp_path: Path) -> None:
    assert run("image", "import", str(tmp_path), "app:1", "-c", "CMD sh")[0] == 0
    assert engine.requests[-1][1] == {"path": str(tmp_path), "reference": "app:1", "changes": ["CMD sh"]}
    assert run("image", "load", ".")[1] == "Loaded image: docker.io/library/loaded:1\n"
    assert run("image", "ls")[1].splitlines()[1].split()[:3] == ["app", "1", "abababababab"]
    assert [len(run("image", "ls", name)[1].splitlines()) for name in ("app", "app:1", "a*", "app:2")] == [2, 2, 2, 1]
    code, out, err = run("image", "rm", "nothing", "app:1")
    assert (code, out) == (1, "Untagged: app:1\n")
    assert "nothing" in err
    assert run("image", "rm", "app:1")[0] == 1
    assert "cannot read `nowhere`" in run("image", "import", "nowhere", "x")[2]


def test_ls_lists_running_projects_and_all_when_asked(run: Run) -> None:
    run("up", "-d")
    assert run("ls", "-q")[1] == "shop\n"
    assert run("ls", "-q", "--filter", "name=^sh")[1] == "shop\n"
    assert run("ls", "-q", "--filter", "name=blog")[1] == ""
    assert "write `--filter name=REGEX`" in run("ls", "--filter", "status=up")[2]
    run("stop")

    assert run("ls", "-q")[1] == ""
    assert json.loads(run("ls", "-a", "--format", "json")[1]) == [
        {"Name": "shop", "Status": "exited(1)", "ConfigFiles": "/x/compose.yaml"}
    ]


def test_port_prints_an_address(run: Run) -> None:
    run("up", "-d")

    assert run("port", "web", "80")[1] == "0.0.0.0:8080\n"
    assert "no port 81/tcp is published" in run("port", "web", "81")[2]


def test_wait_prints_and_returns_the_exit_code(run: Run, engine: FakeEngine) -> None:
    engine.exits = {"web": 9}
    run("up", "-d")

    assert run("wait", "web")[:2] == (9, "9\n")


def test_config_checks_prints_and_lists(run: Run) -> None:
    assert run("config", "-q") == (0, "", "")
    assert run("config", "--services")[1].split() == ["web", "db"]
    assert run("config", "--images")[1] == "nginx:1\npostgres\n"
    assert json.loads(run("config", "--format", "json")[1])["name"] == "shop"
    assert run("config", "-o", "out.yaml")[1] == ""
    assert "image: nginx:1" in Path("out.yaml").read_text()


def test_engine_status_starts_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert json.loads(run("engine", "status", "--format", "json")[1])["keeper"] == 2
    assert "1 running" in run("engine", "status")[1]
    monkeypatch.setenv("COMPOSER_RUN", str(tmp_path / "elsewhere"))

    assert run("engine", "status")[0] == 3
    assert not (tmp_path / "elsewhere").exists()


def test_progress_can_be_chosen_by_option_and_by_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(run("--progress", "json", "up", "-d")[2].splitlines()[0])["id"] == "Network shop_default"
    monkeypatch.setenv("COMPOSE_PROGRESS", "quiet")
    assert run("down") == (0, "", "")
    assert run("down") == (0, "", "warning: there was nothing to remove of project `shop`\n")
    assert "`fancy` is not a way to show progress" in run("--progress", "fancy", "up", "-d")[2]
    assert "`pink` is not a way to use colours" in run("--ansi", "pink", "up", "-d")[2]


def test_what_cannot_be_is_said_before_anything_begins(run: Run, engine: FakeEngine) -> None:
    before = len(engine.requests)

    assert "`--build` and `--no-build` cannot be combined" in run("up", "-d", "--build", "--no-build")[2]
    assert "`--pull sometimes` is not known" in run("up", "-d", "--pull", "sometimes")[2]
    assert len(engine.requests) == before


def test_ps_fills_in_a_template(run: Run) -> None:
    run("up", "-d")

    assert run("ps", "--format", "{{.Name}} is {{.State}}")[1].splitlines()[0].endswith(" is running")
    assert run("ps", "--format", "table {{.Name}}\\t{{.Service}}")[1].splitlines()[0].split() == ["NAME", "SERVICE"]
    code, _, err = run("ps", "--format", "{{.Nmae}}")
    assert (code, "did you mean `Name`?" in err) == (1, True)


def test_a_wrong_way_to_show_progress_is_refused_by_every_command(run: Run) -> None:
    code, _, err = run("--progress", "fancy", "ps")

    assert (code, "use one of auto, tty, plain, json, quiet" in err) == (1, True)
