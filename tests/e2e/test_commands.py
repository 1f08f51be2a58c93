"""exec, run, ps, logs, engine, version: what they print and how they end."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, REPOSITORY, Engine, Project, eventually, json_lines
from tests.e2e.terminals import Terminal
from tests.patience import PATIENCE

ONE = f"services:\n  web:\n    image: host\n    environment: {{COLOUR: blue}}\n    command: {IDLE}\n"


@pytest.fixture
def shop(engine: Engine) -> Project:
    project = engine.project(ONE)
    project.up()
    return project


def test_exec_passes_exit_code_streams_and_input(shop: Project) -> None:
    assert shop.compose("exec", "-T", "web", "sh", "-c", "exit 42").code == 42
    assert shop.compose("exec", "-T", "web", "sh", "-c", "kill -TERM $$").code == 143

    both = shop.compose("exec", "-T", "web", "sh", "-c", "echo out; echo err >&2")
    assert (both.stdout, both.stderr) == ("out\n", "err\n")

    assert shop.compose("exec", "-T", "web", "cat", stdin="through\n").stdout == "through\n"
    many = "".join(f"{n}\n" for n in range(50_000))
    assert shop.compose("exec", "-T", "web", "cat", stdin=many).stdout == many


def test_exec_takes_environment_user_and_directory(shop: Project) -> None:
    script = "echo $COLOUR $A $(id -u) $(pwd)"
    result = shop.compose("exec", "-T", "-e", "A=1", "-u", "1000", "-w", "/tmp", "web", "sh", "-c", script, check=True)

    assert result.stdout == "blue 1 1000 /tmp\n"


def test_exec_detached_goes_on_by_itself(shop: Project) -> None:
    script = "until test -e /srv/go; do sleep 0.05; done; echo done > /srv/file"
    shop.compose("exec", "-d", "web", "sh", "-c", script, check=True)
    shop.exec("web", "touch", "/srv/go")

    eventually(lambda: shop.compose("exec", "-T", "web", "cat", "/srv/file").stdout == "done\n")


def test_exec_of_something_that_is_not_there_is_127_and_not_executable_126(shop: Project) -> None:
    missing = shop.compose("exec", "-T", "web", "nosuchprogram")
    assert missing.code == 127, missing
    assert "nosuchprogram" in missing.stderr

    refused = shop.compose("exec", "-T", "web", "/etc/passwd")
    assert refused.code == 126, refused
    assert "/etc/passwd" in refused.stderr


def test_exec_in_a_service_that_does_not_run_or_exist_says_so(shop: Project) -> None:
    shop.compose("stop", check=True)
    stopped = shop.compose("exec", "-T", "web", "true")
    assert stopped.code == 1
    assert "web" in stopped.stderr
    assert "not running" in stopped.stderr

    unknown = shop.compose("exec", "-T", "wbe", "true")
    assert unknown.code == 1
    assert "wbe" in unknown.stderr


def test_exec_with_an_index_reaches_that_replica(shop: Project) -> None:
    shop.up("--scale", "web=2")

    names = {shop.compose("exec", "-T", "--index", n, "web", "hostname", check=True).stdout for n in ("1", "2")}

    assert len(names) == 2


def test_exec_on_a_terminal_gives_a_terminal_and_restores_it(shop: Project, terminal: Terminal) -> None:
    terminal.start(shop, "exec", "web", "sh", "-c", "stty size; test -t 0 && echo tty; read l; echo got $l")
    terminal.until("tty\r\n")
    terminal.type("hello\r")
    terminal.until("got hello")

    assert terminal.end() == 0
    assert terminal.is_restored()


def test_run_returns_the_exit_code_and_removes_its_container(shop: Project) -> None:
    result = shop.compose("run", "--rm", "-T", "web", "sh", "-c", "echo $COLOUR $A; exit 6")
    assert result.code == 6, result
    assert result.stdout.splitlines()[0].startswith("blue")
    assert set(shop.ps()) == {"shop-web-1"}

    failed = shop.compose("run", "--rm", "-T", "web", "no-such-program")
    assert failed.code == 127, failed
    assert set(shop.ps()) == {"shop-web-1"}, "one that never ran was left behind"

    kept = shop.compose("run", "-T", "--name", "oneoff", "web", "true")
    assert kept.code == 0, kept
    shop.down()
    assert shop.ps() == {}, "a one-off outlived down"


def test_run_loses_nothing_of_what_its_reader_takes_late(shop: Project) -> None:
    shop.edit("image: host", "image: host\n    volumes: ['./out:/out']")
    running = subprocess.Popen(
        [*shop.engine.program, "run", "--rm", "-T", "web", "sh", "-c", "seq 1 600000; touch /out/done"],
        cwd=shop.directory,
        env=shop.engine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    eventually((shop.directory / "out/done").exists)
    time.sleep(3)  # the container is long gone by then

    written = running.communicate()[0].splitlines()

    assert written == [str(number) for number in range(1, 600_001)]
    assert running.returncode == 0


def test_run_overrides_environment_user_directory_entrypoint_and_volumes(shop: Project) -> None:
    (shop.directory / "extra").mkdir()
    (shop.directory / "extra/file").write_text("seen\n")
    result = shop.compose(
        *("run", "--rm", "-T", "--no-deps", "-e", "A=1", "-u", "1000", "-w", "/tmp", "-v", "./extra:/extra:ro"),
        *("--entrypoint", "sh", "web", "-c", "echo $A $(id -u) $(pwd) $(cat /extra/file)"),
        check=True,
    )

    assert result.stdout == "1 1000 /tmp seen\n"


def test_run_passes_input_and_brings_up_what_the_service_depends_on(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          job: {{image: host, command: ["cat"], depends_on: [db]}}
          db: {{image: host, command: {IDLE}}}
    """)

    result = shop.compose("run", "--rm", "-T", "job", stdin="hello\n", check=True)

    assert result.stdout == "hello\n"
    assert set(shop.ps()) == {"shop-db-1"}


def test_ps_json_has_the_fields_of_docker_compose_and_the_pid(shop: Project) -> None:
    entry = shop.container("web")

    fields = {"ID", "Name", "Service", "Project", "Image", "Command", "State", "Status", "Health", "ExitCode"}
    assert fields | {"Publishers", "Labels", "Networks", "Mounts", "CreatedAt", "RunningFor", "Pid"} <= set(entry)
    assert entry["Project"] == "shop"
    assert entry["ExitCode"] == 0
    assert entry["Health"] == ""
    assert "Up" in entry["Status"]
    assert '"State":"running"' in shop.compose("ps", "--format", "json", check=True).stdout  # scripts look for it so
    assert Path(f"/proc/{entry['Pid']}/cmdline").read_text().startswith("sh")
    labels = str(entry["Labels"])
    assert "com.docker.compose.project" in labels
    assert "com.docker.compose.service" in labels


def test_commands_that_cannot_run_leave_nothing_open_in_the_engine(shop: Project) -> None:
    engine = Path(f"/proc/{shop.engine.status()['engine']}/fd")
    shop.compose("exec", "-T", "web", "nosuchprogram")
    before = len(list(engine.iterdir()))

    for _ in range(3):
        shop.compose("exec", "-T", "web", "nosuchprogram")

    eventually(lambda: len(list(engine.iterdir())) <= before)


def test_ps_prints_a_table_ids_and_services(shop: Project) -> None:
    table = shop.compose("ps", check=True).lines()
    assert table[0].split()[:2] == ["NAME", "IMAGE"]
    assert table[1].split()[:2] == ["shop-web-1", "host"]

    quiet = shop.compose("ps", "-q", check=True).stdout.strip()
    assert re.fullmatch("[0-9a-f]{12,64}", quiet)
    assert quiet.startswith(shop.container("web")["ID"][:12])
    assert shop.compose("ps", "--services", check=True).lines() == ["web"]


def test_ps_leaves_orphans_out_where_they_are_not_wanted(shop: Project) -> None:
    shop.edit("  web:", "  other:")

    assert shop.compose("ps", "--services", check=True).lines() == ["web"]
    assert shop.compose("ps", "--services", "--orphans=false", check=True).lines() == []


def test_logs_take_tail_since_timestamps_and_prefixes(engine: Engine) -> None:
    shop = engine.project("""
        services:
          count: {image: host, command: ["sh", "-c", "for i in 1 2 3 4 5; do echo line $$i; done"]}
          other: {image: host, command: ["sh", "-c", "echo other"]}
    """)
    shop.up()
    shop.wait_state("count", "exited")
    shop.wait_state("other", "exited")

    assert shop.compose("logs", "count", check=True).lines()[0] == "count-1  | line 1"
    assert shop.compose("logs", "--no-log-prefix", "--tail", "2", "count").lines() == ["line 4", "line 5"]
    assert shop.compose("logs", "--no-log-prefix", "--tail", "0", "count").lines() == []
    assert sorted(shop.logs()) == ["line 1", "line 2", "line 3", "line 4", "line 5", "other"]
    stamped = shop.compose("logs", "-t", "--no-log-prefix", "other").lines()[0]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z other$", stamped)
    assert shop.compose("logs", "--since", "1h", "--no-log-prefix", "other").lines() == ["other"]
    assert shop.compose("logs", "--since", "2999-01-01T00:00:00Z", "other").lines() == []


def test_logs_follow_until_the_last_container_ends(engine: Engine) -> None:
    shop = engine.project("""
        services:
          count: {image: host, command: ["sh", "-c", "for i in 1 2 3; do echo line $$i; sleep 0.3; done"]}
    """)
    shop.up()

    result = shop.compose("logs", "-f", "--no-log-prefix")

    assert result.lines() == ["line 1", "line 2", "line 3"]


def test_logs_that_nobody_reads_any_more_end_at_once(engine: Engine) -> None:
    shop = engine.project("""
        services:
          once: {image: host, command: ["sh", "-c", "echo line; trap 'exit 0' TERM; sleep infinity & wait"]}
    """)
    shop.up()
    following = subprocess.Popen(
        [*engine.program, "logs", "-f", "--no-log-prefix"],
        cwd=shop.directory,
        env=engine.environment,
        stdout=subprocess.PIPE,
    )
    assert following.stdout is not None
    assert following.stdout.readline() == b"line\n"

    following.stdout.close()

    assert following.wait(PATIENCE) == 1


def test_a_burst_of_output_is_logged_without_loss(engine: Engine) -> None:
    shop = engine.project("""
        services:
          burst: {image: host, command: ["sh", "-c", "seq 1 100000"]}
    """)
    shop.up()
    shop.wait_state("burst", "exited")

    assert shop.logs() == [str(n) for n in range(1, 100_001)]


def test_a_tty_service_has_a_terminal(engine: Engine) -> None:
    shop = engine.project("""
        services:
          term: {image: host, tty: true, command: ["sh", "-c", "test -t 1 && echo is a terminal"]}
    """)
    shop.up()
    shop.wait_state("term", "exited")

    assert [line.strip() for line in shop.logs()] == ["is a terminal"]


def test_engine_status_names_its_processes_and_stop_ends_them(shop: Project) -> None:
    engine = shop.engine
    status = {key.lower(): value for key, value in engine.status().items()}
    assert status["socket"] == str(engine.run / "engine.sock")
    assert Path(status["socket"]).stat().st_mode & 0o777 == 0o600
    for process in ("engine", "keeper"):
        assert Path(f"/proc/{status[process]}").exists()

    refused = engine.compose("engine", "stop")
    assert refused.code == 1, "it must not stop while containers run"
    assert "shop" in refused.output or "running" in refused.output

    shop.down()
    engine.compose("engine", "stop", check=True)
    eventually(lambda: engine.leftovers() == [], message=lambda: "\n".join(engine.leftovers()))
    # Stopping what does not run is success, and starts nothing.
    engine.compose("engine", "stop", check=True)
    assert engine.leftovers() == []


def test_version_prints_one(engine: Engine) -> None:
    assert "composer" in engine.compose("version", check=True).stdout.lower()
    short = engine.compose("version", "--short", check=True).stdout.strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", short)
    assert short in json.dumps(json_lines(engine.compose("version", "-f", "json", check=True).stdout))


def test_images_are_imported_listed_and_removed(stocked: Engine) -> None:
    listed = {f"{entry['Repository']}:{entry['Tag']}" for entry in _images(stocked)}
    assert {"busybox:1", "redis:7"} <= listed

    stocked.compose("image", "rm", "busybox:1", check=True)
    assert "busybox:1" not in {f"{entry['Repository']}:{entry['Tag']}" for entry in _images(stocked)}


def _images(engine: Engine) -> list[dict[str, str]]:
    return json_lines(engine.compose("image", "ls", "--format", "json", check=True).stdout)


def test_the_command_line_answers_without_starting_an_engine(engine: Engine) -> None:
    engine.compose("version", check=True)
    engine.compose("--help", check=True)
    engine.project(ONE).compose("config", check=True)

    assert list(engine.run.iterdir()) == []
    assert REPOSITORY.exists()


def test_a_project_that_is_entered_by_a_link_has_the_links_name(engine: Engine) -> None:
    shop = engine.project("services: {web: {image: host, comand: x}}")
    link = shop.directory.with_name("current")
    link.symlink_to(shop.directory)

    wrong = engine.compose("config", cwd=link, environment={"PWD": str(link)})
    shop.write("services: {web: {image: host, command: [pwd], volumes: ['.:/here']}}")
    entered = engine.compose("config", cwd=link, environment={"PWD": str(link)}, check=True).stdout
    elsewhere = engine.compose("config", cwd=link, environment={"PWD": str(link.parent)}, check=True).stdout

    assert "┌ compose.yaml:1:" in wrong.stderr
    assert entered.startswith("name: current\n")
    assert f"source: {link}\n" in entered
    assert elsewhere.startswith("name: shop\n")


def test_an_attached_up_says_first_to_whom_it_attaches(engine: Engine) -> None:
    shop = engine.project("""
        services:
          web: {image: host, command: [echo, from web], scale: 2, depends_on: {db: {condition: service_completed_successfully}}}
          db: {image: host, command: ["sh", "-c", "echo from db; sleep 0.2"]}
          own: {image: host, command: [echo, own], container_name: mine}
    """)

    lines = shop.compose("up", "--scale", "web=3", check=True).stdout.splitlines()

    assert lines[0] == "Attaching to db-1, mine, web-1, web-2, web-3"
    assert lines.count("web-3  | from web") == 1
    assert sum(line.startswith("Attaching") for line in lines) == 1
