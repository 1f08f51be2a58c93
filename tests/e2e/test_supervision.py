"""Restart policies, health, and the order it gives."""

from __future__ import annotations

import pytest

from tests.e2e.harness import IDLE, STUBBORN, Engine, eventually, is_gone


def test_a_restart_policy_brings_a_container_back(engine: Engine) -> None:
    shop = engine.project("""
        services:
          always:
            image: host
            restart: always
            volumes: ["./count:/count"]
            command: ["sh", "-c", "echo start >> /count/always; sleep 0.1"]
          once:
            image: host
            volumes: ["./count:/count"]
            command: ["sh", "-c", "echo start >> /count/once; exit 1"]
          failing:
            image: host
            restart: "on-failure:2"
            volumes: ["./count:/count"]
            command: ["sh", "-c", "echo start >> /count/failing; exit 1"]
          fine:
            image: host
            restart: on-failure
            volumes: ["./count:/count"]
            command: ["sh", "-c", "echo start >> /count/fine"]
    """)

    def starts(name: str) -> int:
        path = shop.directory / "count" / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    shop.up()

    eventually(lambda: starts("always") >= 4)
    eventually(lambda: starts("failing") == 3 and shop.container("failing")["State"] == "exited")
    for ended in ("once", "fine"):
        shop.wait_state(ended, "exited")
        assert starts(ended) == 1
    shop.compose("stop", "always", check=True)
    stopped = starts("always")
    assert shop.wait_state("always", "exited")
    assert starts("always") == stopped, "a container that was stopped on purpose came back"


def test_a_container_killed_from_outside_is_restarted_only_by_its_policy(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          phoenix: {{image: host, restart: unless-stopped, command: {IDLE}}}
    """)
    shop.up()
    before = shop.container("phoenix")["Pid"]

    shop.compose("exec", "-T", "phoenix", "kill", "-TERM", "1")  # which may go down with the container

    after = eventually(lambda: found if (found := shop.container("phoenix"))["Pid"] not in (0, before) else None)
    assert after["State"] == "running"


def test_health_goes_from_starting_to_healthy_to_unhealthy(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: {IDLE}
            healthcheck: {{test: "test -e /tmp/ok", interval: 200ms, timeout: 20s, retries: 2, start_period: 10m}}
    """)
    shop.up()
    assert shop.container("web")["Health"] == "starting"

    shop.exec("web", "touch", "/tmp/ok")
    eventually(lambda: shop.container("web")["Health"] == "healthy")
    assert "(healthy)" in shop.compose("ps", check=True).stdout

    shop.exec("web", "rm", "/tmp/ok")
    eventually(lambda: shop.container("web")["Health"] == "unhealthy")
    assert shop.container("web")["State"] == "running"


def test_a_dependant_waits_until_its_dependency_is_healthy(engine: Engine) -> None:
    shop = engine.project("""
        services:
          db:
            image: host
            volumes: ["./order:/order"]
            command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1; echo db >> /order/log; sleep infinity & wait"]
            healthcheck: {test: ["CMD", "grep", "-q", "db", "/order/log"], interval: 100ms, start_period: 10m}
          web:
            image: host
            volumes: ["./order:/order"]
            command: ["sh", "-c", "echo web >> /order/log"]
            depends_on: {db: {condition: service_healthy}}
    """)
    shop.up()
    shop.wait_state("web", "exited")

    assert (shop.directory / "order/log").read_text() == "db\nweb\n"


def test_a_dependant_waits_until_a_job_has_completed(engine: Engine) -> None:
    shop = engine.project("""
        services:
          migrate:
            image: host
            volumes: ["./order:/order"]
            command: ["sh", "-c", "sleep 0.5; echo migrated >> /order/log; exit ${CODE:-0}"]
          web:
            image: host
            volumes: ["./order:/order"]
            command: ["sh", "-c", "echo web >> /order/log"]
            depends_on: {migrate: {condition: service_completed_successfully}}
    """)
    shop.up()
    shop.wait_state("web", "exited")
    assert (shop.directory / "order/log").read_text() == "migrated\nweb\n"
    shop.down()

    failed = shop.compose("up", "-d", environment={"CODE": "3"})
    assert failed.code != 0
    assert "`shop-migrate-1` did not complete successfully: exited with 3" in failed.output
    assert failed.output.count("hint:") == 1, failed
    assert "web" not in shop.compose("logs", check=True).stdout
    assert (shop.directory / "order/log").read_text() == "migrated\nweb\nmigrated\n"


def test_a_dependency_that_becomes_unhealthy_stops_the_start_with_its_name(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          db:
            image: host
            command: {IDLE}
            healthcheck: {{test: ["CMD", "false"], interval: 100ms, retries: 2}}
          web:
            image: host
            command: {IDLE}
            depends_on: {{db: {{condition: service_healthy}}}}
    """)
    result = shop.compose("up", "-d")

    assert result.code == 1, result
    assert "db" in result.output
    assert "unhealthy" in result.output
    assert shop.ps()["shop-web-1"]["State"] == "created"


def test_dependants_start_after_and_stop_before_what_they_depend_on(engine: Engine) -> None:
    tell = "trap 'echo $$NAME down >> /order/log; exit 0' TERM; echo $$NAME up >> /order/log; sleep infinity & wait"
    shop = engine.project(f"""
        x-base: &base
          image: host
          volumes: ["./order:/order"]
          command: ["sh", "-c", "{tell}"]
        services:
          web: {{<<: *base, environment: {{NAME: web}}, depends_on: [api]}}
          api: {{<<: *base, environment: {{NAME: api}}, depends_on: [db]}}
          db: {{<<: *base, environment: {{NAME: db}}}}
    """)
    shop.up()
    log = shop.directory / "order/log"
    eventually(lambda: log.exists() and len(log.read_text().splitlines()) == 3)
    shop.down()

    assert log.read_text().splitlines()[3:] == ["web down", "api down", "db down"]


def test_up_wait_returns_when_all_is_healthy_and_fails_when_something_ends(engine: Engine) -> None:
    shop = engine.project("""
        services:
          web:
            image: host
            command: ["sh", "-c", "trap 'exit 0' TERM; sleep 0.5; touch /tmp/ok; sleep infinity & wait"]
            healthcheck: {test: ["CMD", "test", "-e", "/tmp/ok"], interval: 100ms, start_period: 10m}
    """)
    shop.up("--wait")
    assert shop.container("web")["Health"] == "healthy"
    shop.down()

    shop.edit("touch /tmp/ok", "exit 4")
    failed = shop.compose("up", "--wait")
    assert failed.code == 1, failed
    assert "web" in failed.output
    shop.down()

    shop.edit("exit 4", "true")
    late = shop.compose("up", "--wait", "--wait-timeout", "1")
    assert late.code == 1, late
    assert "`web` is not healthy after 1 s" in late.output


@pytest.mark.parametrize(("seconds", "status"), [(0, 0), (1, 0), (0, 3)])
def test_up_wait_takes_a_job_that_ended_well_for_done_and_sees_one_fail_at_once(
    engine: Engine, seconds: int, status: int
) -> None:
    shop = engine.project(f"""
        services:
          web: {{image: host, command: {IDLE}}}
          seed: {{image: host, command: ["sh", "-c", "sleep {seconds}; exit {status}"]}}
    """)

    for arguments in (("up", "--wait"), ("stop",), ("start", "--wait")):
        result = shop.compose(*arguments)
        assert result.code == (1 if status and "--wait" in arguments else 0), str(result)
        assert ("`shop-seed-1` exited (3) right after its start" in result.stderr) is bool(result.code)
    assert shop.container("web")["State"] == "running"


def test_a_chain_of_healthy_dependencies_does_not_wait_for_whole_intervals(engine: Engine) -> None:
    links = "".join(
        f"""
          s{n}:
            image: host
            command: {IDLE}
            healthcheck: {{test: ["CMD", "true"], interval: 10m}}
            depends_on: {{s{n - 1}: {{condition: service_healthy}}}}"""
        for n in range(1, 4)
    )
    shop = engine.project(f"""
        services:
          s0:
            image: host
            command: {IDLE}
            healthcheck: {{test: ["CMD", "true"], interval: 10m}}{links}
    """)

    shop.up()  # would have been given up by now
    assert shop.ps()["shop-s3-1"]["State"] == "running"


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          stubborn: {{image: host, command: {STUBBORN}, stop_grace_period: 10m}}
          web: {{image: host, command: {IDLE}, depends_on: [stubborn]}}
    """)
    shop.up()
    pid = shop.container("stubborn")["Pid"]

    down = shop.down("-t", "1")

    assert is_gone(pid)
    assert down.seconds > 0.9, "the flag's grace was not kept"
