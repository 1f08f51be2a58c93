"""One container on the image `host`: up, its output, its end, and nothing left."""

from __future__ import annotations

from tests.e2e.harness import IDLE, Engine

ONE = f"services:\n  web:\n    image: host\n    command: {IDLE}\n"


def test_a_container_comes_up_detached_and_goes_down_without_a_trace(engine: Engine) -> None:
    shop = engine.project(ONE)

    shop.up()
    assert shop.container("web")["State"] == "running"
    assert shop.container("web")["Name"] == "shop-web-1"

    shop.down()
    assert shop.ps() == {}
    engine.compose("engine", "stop", check=True)
    assert engine.leftovers() == []


def test_the_output_of_a_container_is_in_its_log_to_the_last_byte(engine: Engine) -> None:
    shop = engine.project("""
        services:
          talk:
            image: host
            command: ["sh", "-c", "echo to stdout; echo to stderr >&2; printf unfinished"]
    """)

    shop.up()
    shop.wait_state("talk", "exited")

    assert sorted(shop.logs()) == ["to stderr", "to stdout", "unfinished"]


def test_the_exit_code_of_a_container_is_kept(engine: Engine) -> None:
    shop = engine.project("""
        services:
          seven:
            image: host
            command: ["sh", "-c", "exit 7"]
          killed:
            image: host
            command: ["sh", "-c", "kill -KILL $$$$; sleep 60"]
          terminated:
            image: host
            init: true
            command: ["sh", "-c", "kill -TERM $$$$; sleep 60"]
    """)

    shop.up()

    assert shop.wait_state("seven", "exited")["ExitCode"] == 7
    assert shop.wait_state("terminated", "exited")["ExitCode"] == 143
    # A process cannot kill its namespace's first one from inside: the signal is ignored (pid_namespaces(7)).
    assert shop.container("killed")["State"] == "running"
    shop.compose("kill", "killed", check=True)
    assert shop.wait_state("killed", "exited")["ExitCode"] == 137


def test_up_attached_shows_the_output_with_the_containers_name_and_ends_with_it(engine: Engine) -> None:
    shop = engine.project("""
        services:
          one:
            image: host
            command: ["sh", "-c", "echo hello from one"]
          second:
            image: host
            command: ["sh", "-c", "echo hello from second; exit 3"]
    """)

    result = shop.compose("up")

    assert result.code == 0, result
    lines = [line for line in result.lines() if "hello" in line]
    assert sorted(lines) == ["one-1     | hello from one", "second-1  | hello from second"], result
    assert "second-1 exited with code 3" in result.output


def test_a_container_sees_its_own_world_and_not_the_hosts(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            hostname: inside
            environment: {{COLOUR: blue, EMPTY: ""}}
            working_dir: /srv/work
            tmpfs: /scratch
            extra_hosts: ["printer:10.9.8.7"]
            command: {IDLE}
    """)
    shop.up()

    def sh(script: str) -> str:
        return shop.exec("web", "sh", "-c", script).stdout.strip()

    assert sh("hostname") == "inside"
    assert sh("echo $COLOUR/$EMPTY/") == "blue//"
    assert sh("pwd") == "/srv/work"
    assert sh("ls /proc | grep -c '^[0-9]*$'") < "9", "the container sees the host's processes"
    assert "tmpfs" in sh("grep ' /scratch ' /proc/mounts")
    assert sh("grep printer /etc/hosts").split() == ["10.9.8.7", "printer"]
    assert sh("ls /home /root /var/lib 2>&1 | grep -c composer; true") == "0"
    assert sh("touch /usr/x 2>&1; echo") == "" or "Read-only" in sh("touch /usr/x 2>&1; true")
    assert "Seccomp:\t2" in sh("cat /proc/self/status")
    assert str(engine.root) not in sh("cat /proc/self/environ | tr '\\0' '\\n'")


def test_a_read_only_container_cannot_write_outside_its_mounts(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            read_only: true
            tmpfs: [/tmp]
            volumes: ["data:/data"]
            command: {IDLE}
        volumes:
          data:
    """)
    shop.up()

    assert "Read-only" in shop.compose("exec", "-T", "web", "touch", "/srv/x").output
    shop.exec("web", "touch", "/tmp/x", "/data/x")


def test_a_user_by_id_runs_as_that_id(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            user: "1234:4321"
            command: {IDLE}
    """)
    shop.up()

    assert shop.exec("web", "sh", "-c", "echo $(id -u):$(id -g)").stdout.strip() == "1234:4321"


def test_a_zombie_is_reaped_where_init_is_asked_for(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            init: true
            command: {IDLE}
    """)
    shop.up()

    shop.exec("web", "sh", "-c", "(sleep 0.01 &) ; exit 0")

    script = "sleep 0.2; cat /proc/[0-9]*/stat | cut -d' ' -f3 | grep -c Z; true"
    assert shop.exec("web", "sh", "-c", script).stdout.strip() == "0"


def test_an_init_tells_nothing_of_who_started_it(engine: Engine) -> None:
    shop = engine.project("services: {web: {image: host, init: true, user: '1234', command: [sleep, '1000']}}")
    shop.up()

    assert shop.exec("web", "cat", "/proc/1/comm").stdout == "init\n"
    command = "tr '\\0' ' ' < /proc/1/cmdline"
    assert shop.exec("web", "sh", "-c", command).stdout.strip() == "init -- sleep 1000"
    assert "init -- sleep 1000" in shop.compose("top", check=True).stdout
