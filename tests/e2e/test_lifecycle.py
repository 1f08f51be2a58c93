"""stop, start, restart, kill, and Ctrl-C."""

from __future__ import annotations

import signal

from tests.e2e.harness import IDLE, STUBBORN, Engine, eventually, is_gone

TWO = f"""
services:
  web: {{image: host, command: {IDLE}}}
  db: {{image: host, command: {IDLE}}}
"""


def test_stop_and_start_keep_the_container(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()
    before = shop.container("web")
    shop.exec("web", "sh", "-c", "echo here > /srv/file")

    shop.compose("stop", "web", check=True)
    assert shop.container("web")["State"] == "exited"
    assert shop.container("db")["State"] == "running"
    assert "shop-web-1" not in shop.compose("ps", check=True).stdout

    shop.compose("start", "web", check=True)
    assert shop.container("web")["ID"] == before["ID"]
    assert shop.container("web")["Pid"] != before["Pid"]
    assert shop.exec("web", "cat", "/srv/file").stdout == "here\n"


def test_a_start_writes_the_files_of_etc_anew_only_where_they_differ(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()
    (etc,) = (engine.data / "containers").glob(f"{shop.container('web')['ID']}*/etc")
    before = (etc / "hosts").stat().st_mtime_ns
    hostname = shop.exec("web", "cat", "/etc/hostname").stdout
    shop.exec("web", "sh", "-c", "echo other > /etc/hostname")

    shop.compose("restart", "web", check=True)

    assert (etc / "hosts").stat().st_mtime_ns == before
    assert shop.exec("web", "cat", "/etc/hostname").stdout == hostname


def test_a_user_that_a_container_has_made_is_known_there_and_nowhere_else(stocked: Engine) -> None:
    shop = stocked.project(TWO.replace("image: host", "image: 'busybox:1'"))
    shop.up()
    (written,) = (stocked.data / "containers").glob(f"{shop.container('web')['ID']}*/upper")
    assert list(written.iterdir()) == [], "a start made places to mount at in the container's own layer"
    shop.exec("web", "sh", "-c", "echo mary:x:4321:4321::/:/bin/sh >> /etc/passwd")

    assert shop.compose("exec", "-T", "-u", "mary", "web", "id", "-u").stdout == "4321\n"
    assert shop.compose("exec", "-T", "-u", "mary", "db", "id", "-u").code == 1


def test_restart_gives_new_processes_to_the_same_containers(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()
    before = shop.ps()

    shop.compose("restart", check=True)

    after = shop.ps()
    assert {name: entry["ID"] for name, entry in after.items()} == {n: e["ID"] for n, e in before.items()}
    assert {entry["Pid"] for entry in after.values()}.isdisjoint(entry["Pid"] for entry in before.values())


def test_kill_sends_the_signal_that_is_asked_for(engine: Engine) -> None:
    shop = engine.project("""
        services:
          web:
            image: host
            command: ["sh", "-c", "trap 'echo reloaded' HUP; while :; do sleep 0.05; done"]
    """)
    shop.up()

    def reloaded() -> bool:
        shop.compose("kill", "-s", "HUP", "web", check=True)
        return "reloaded" in shop.logs()

    shop.wait_caught("web", signal.SIGHUP)
    eventually(reloaded)
    assert shop.container("web")["State"] == "running"

    shop.compose("kill", check=True)
    assert shop.wait_state("web", "exited")["ExitCode"] == 137


def test_the_files_stop_signal_is_sent_and_its_grace_is_kept(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          polite:
            image: host
            stop_signal: SIGUSR1
            command: ["sh", "-c", "trap 'echo asked; exit 0' USR1; trap '' TERM; while :; do sleep 0.05; done"]
          stubborn:
            image: host
            stop_grace_period: 1s
            command: {STUBBORN}
    """)
    shop.up()
    shop.wait_caught("polite", signal.SIGUSR1)

    result = shop.compose("stop", check=True)

    assert "asked" in shop.logs("polite")
    assert shop.container("polite")["ExitCode"] == 0
    assert shop.container("stubborn")["ExitCode"] == 137
    assert 0.9 < result.seconds < 10, "the grace was neither the file's nor less than what it is by itself"


def test_ctrl_c_stops_gracefully_and_tells_so(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: ["sh", "-c", "trap 'echo goodbye; exit 0' TERM; echo ready; sleep infinity & wait"]
          db: {{image: host, command: {IDLE}}}
    """)
    up = shop.start("up")
    up.until("ready")

    up.interrupt()

    assert up.wait() == 130
    assert "goodbye" in up.text, "the last line was lost"
    assert "topping" in up.text
    assert {entry["State"] for entry in shop.ps().values()} == {"exited"}


def test_a_second_ctrl_c_kills(engine: Engine) -> None:
    shop = engine.project("""
        services:
          stubborn:
            image: host
            command: ["sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 0.2; done"]
            stop_grace_period: 10m
    """)
    up = shop.start("up")
    up.until("ready")
    pid = shop.container("stubborn")["Pid"]

    up.interrupt()
    up.until("topping")
    up.interrupt()

    assert up.wait() == 130
    eventually(lambda: is_gone(pid))
    assert shop.container("stubborn")["ExitCode"] == 137


def test_ctrl_c_during_the_start_leaves_a_state_that_up_completes_and_down_clears(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          slow:
            image: host
            command: {IDLE}
            healthcheck: {{test: ["CMD", "test", "-e", "/ok/now"], interval: 100ms, start_period: 60s}}
            volumes: ["./ok:/ok"]
          web:
            image: host
            command: {IDLE}
            depends_on: {{slow: {{condition: service_healthy}}}}
    """)
    up = shop.start("up")
    eventually(lambda: shop.ps().get("shop-slow-1", {}).get("State") == "running")

    up.interrupt()
    assert up.wait() == 130

    (shop.directory / "ok/now").touch()
    shop.up()
    assert shop.container("web")["State"] == "running"


def test_sigterm_to_an_attached_up_stops_its_containers(engine: Engine) -> None:
    shop = engine.project(TWO)
    up = shop.start("up")
    eventually(lambda: len([e for e in shop.ps().values() if e["State"] == "running"]) == 2)

    up.process.send_signal(signal.SIGTERM)

    up.wait()
    assert {entry["State"] for entry in shop.ps().values()} == {"exited"}


def test_exit_code_from_returns_the_services_code_and_stops_the_rest(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          tests: {{image: host, command: ["sh", "-c", "sleep 0.3; exit 5"]}}
          db: {{image: host, command: {IDLE}}}
    """)

    result = shop.compose("up", "--exit-code-from", "tests")

    assert result.code == 5, result
    assert {entry["State"] for entry in shop.ps().values()} == {"exited"}


def test_abort_on_container_exit_stops_the_rest(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          short: {{image: host, command: ["sh", "-c", "exit 2"]}}
          db: {{image: host, command: {IDLE}}}
    """)

    result = shop.compose("up", "--abort-on-container-exit")

    assert result.code == 2, result
    assert {entry["State"] for entry in shop.ps().values()} == {"exited"}
