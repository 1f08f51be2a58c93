"""Commands by the forkserver: to whoever calls them they are as if there were none."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from composer.api.starter import forkserver_pid, keeper_pid
from composer.paths import Paths
from tests.e2e.harness import Engine, Project, Running, eventually, is_gone
from tests.e2e.terminals import Terminal

SERVICE = """
services:
  web: {image: host, command: ["sh", "-c", "trap 'exit 0' TERM INT; echo serving; sleep infinity & wait"]}
"""


@pytest.fixture
def shop(engine: Engine) -> Project:
    """A project that is up, with a forkserver that listens."""
    engine.program = (sys.executable, "-m", "composer.client")
    shop = engine.project(SERVICE)
    shop.up()
    eventually(lambda: forkserver(shop))
    return shop


def forkserver(shop: Project) -> int:
    return forkserver_pid(Paths(shop.engine.data, shop.engine.run))


def commands(shop: Project) -> list[int]:
    """The processes of commands that the forkserver has forked."""
    return _children(shop, waiting=False)


def waiting(shop: Project) -> list[int]:
    """The process that waits to be a command, if there is one."""
    return _children(shop, waiting=True)


def _children(shop: Project, *, waiting: bool) -> list[int]:
    pid, found = forkserver(shop), []
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        with contextlib.suppress(ProcessLookupError):
            if (os.getsid(child) == os.getsid(pid)) is waiting:  # a command has a session of its own
                found.append(child)
    return found


def the_command(shop: Project) -> int:
    return eventually(lambda: commands(shop), message="the forkserver has no command")[0]


def started(shop: Project, *arguments: str) -> Running:
    """A command that is the only one of the forkserver: the last one may not be gone yet when its client is."""
    eventually(lambda: not commands(shop), message="a former command does not end")
    return shop.start(*arguments)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def kib(pid: int, name: str) -> int:
    """One sum over the memory of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(rf"^{name}:\s*(\d+) kB", rollup, re.MULTILINE)[0])


def opened(pid: int) -> dict[int, str]:
    """What the descriptors of a process are."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found[int(entry.name)] = str(entry.readlink())
    return found


def client_of(shop: Project) -> int:
    """The only process that runs the client with `logs -f`."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            environment = (entry / "environ").read_bytes() if b"composer.client" in words else b""
            if f"COMPOSER_RUN={shop.engine.run}\0".encode() in environment and b"/python" in words[0]:
                return int(entry.name)
    raise AssertionError("no client")


def test_results_are_as_without_it(shop: Project) -> None:
    assert set(shop.ps()) == {"shop-web-1"}
    assert shop.compose("exec", "-T", "web", "sh", "-c", "exit 7").code == 7
    assert shop.compose("exec", "-T", "web", "cat", stdin="from here\n").stdout == "from here\n"
    assert shop.compose("nonsense").code == 16
    failed = shop.compose("logs", "webb")
    assert failed.code == 1
    assert "did you mean `web`?" in failed.stderr
    assert "Traceback" not in failed.output
    assert shop.compose("up", "-d", check=True).code == 0


def test_working_directory_and_environment_are_the_callers(shop: Project) -> None:
    below = shop.directory / "below"
    below.mkdir()
    (below / "compose.yaml").write_text("name: other\nservices:\n  a: {image: 'host', labels: {from: '${HERE}'}}\n")

    printed = shop.engine.compose("config", cwd=below, environment={"HERE": "b\u00e9low"}, check=True).stdout

    assert "name: other" in printed
    assert "from: b\u00e9low" in printed
    assert 'from: ""' in shop.engine.compose("config", cwd=below, check=True).stdout


def test_umask_limits_ignored_signals_and_descriptors_are_the_callers(shop: Project) -> None:
    (shop.directory / "extra").write_text(SERVICE)
    line = f'umask 027; ulimit -n 99; trap "" HUP; exec {" ".join(shop.engine.program)} -p shop -f /dev/fd/7 logs -f 7<extra 2>&-'
    with subprocess.Popen(
        ["sh", "-c", line],
        cwd=shop.directory,
        env=shop.engine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        command = the_command(shop)
        expected = {0: "/dev/null", 1: "/dev/null", 7: str(shop.directory / "extra")}
        eventually(lambda: expected.items() <= opened(command).items())
        assert status(command, "Umask") == "0027"
        assert "Max open files            99 " in Path(f"/proc/{command}/limits").read_text()
        assert int(status(command, "SigIgn"), 16) & 1
        process.send_signal(signal.SIGHUP)
        time.sleep(0.1)  # that nothing happens has nothing to wait for
        assert process.poll() is None
        process.terminate()
    assert process.returncode in (-signal.SIGTERM, 143)
    eventually(lambda: is_gone(command))


def test_ctrl_c_ends_a_command_with_130(shop: Project) -> None:
    following = started(shop, "logs", "-f")
    command = the_command(shop)

    following.interrupt()

    assert following.wait() == 130
    eventually(lambda: is_gone(command))


def test_an_attached_up_stops_gracefully_by_ctrl_c(shop: Project) -> None:
    shop.compose("stop", check=True)
    attached = started(shop, "up")
    eventually(lambda: shop.container("web")["State"] == "running")
    the_command(shop)

    attached.interrupt()

    assert attached.wait() == 130
    assert shop.container("web")["State"] == "exited"


def test_a_killed_client_takes_its_command_along(shop: Project) -> None:
    following = started(shop, "logs", "-f")
    command = the_command(shop)

    following.kill()

    eventually(lambda: is_gone(command))


def test_a_killed_command_is_told_as_such(shop: Project) -> None:
    following = started(shop, "logs", "-f")

    os.kill(the_command(shop), signal.SIGKILL)

    assert following.wait() == -signal.SIGKILL


def test_a_killed_forkserver_ends_no_command_and_is_started_again(shop: Project) -> None:
    running = shop.start("exec", "-T", "web", "sh", "-c", "echo begun; sleep 1; exit 5")
    running.until("begun")
    before = forkserver(shop)

    os.kill(before, signal.SIGKILL)
    assert running.wait() == 5

    assert set(shop.ps()) == {"shop-web-1"}  # by itself, and it starts another
    after = eventually(lambda: forkserver(shop) or (bool(shop.ps()) and 0))
    assert after != before


def test_a_process_waits_for_the_next_command_and_is_not_needed(shop: Project) -> None:
    (waits,) = eventually(lambda: waiting(shop))
    following = started(shop, "logs", "-f")
    assert the_command(shop) == waits
    following.interrupt()
    assert following.wait() == 130

    (killed,) = eventually(lambda: waiting(shop))
    os.kill(killed, signal.SIGKILL)
    assert set(shop.ps()) == {"shop-web-1"}

    (alone,) = eventually(lambda: waiting(shop))
    large = {"LARGE": "x" * 100_000}  # more than the socket to it may take at once: another is forked
    assert shop.compose("version", environment=large).code == 0
    assert waiting(shop) == [alone]

    os.kill(forkserver(shop), signal.SIGKILL)
    eventually(lambda: is_gone(alone))


def test_it_is_gone_with_the_engine_and_small(shop: Project) -> None:
    shop.ps()
    pid = forkserver(shop)
    (waits,) = eventually(lambda: waiting(shop))
    own = kib(waits, "Private_Dirty")
    assert own < 10 * 1024
    assert kib(pid, "Pss") + kib(waits, "Pss") - own < 35 * 1024

    shop.down()
    shop.engine.compose("engine", "stop", check=True)

    assert is_gone(pid)
    assert is_gone(waits)
    assert not (shop.engine.run / "fork.sock").exists()


def test_it_outlives_engine_and_keeper_that_are_started_again(shop: Project) -> None:
    pid = forkserver(shop)
    shop.engine.kill("engine")
    assert set(shop.ps()) == {"shop-web-1"}
    shop.engine.kill("keeper")
    eventually(lambda: keeper_pid(Paths(shop.engine.data, shop.engine.run)))
    time.sleep(1)  # it has looked for another keeper by then

    assert set(shop.ps()) == {"shop-web-1"}
    assert forkserver(shop) == pid


@pytest.mark.parametrize(
    "prefix", [("unshare", "--uts"), ("setpriv", "--no-new-privs"), ("nice", "-n", "3")], ids=lambda words: words[0]
)
def test_whoever_is_somebody_else_runs_the_command_himself(shop: Project, prefix: tuple[str, ...]) -> None:
    forkserver(shop)
    shop.engine.program = (*prefix, *shop.engine.program)
    following = started(shop, "logs", "-f")
    following.until("serving")

    assert commands(shop) == []
    following.interrupt()

    assert following.wait() == 130
    assert "Traceback" not in following.text


def test_an_ordinary_user_has_one_outside_of_the_engines_namespaces(ordinary: Engine) -> None:
    ordinary.program = (*ordinary.program[:-1], "composer.client")
    shop = ordinary.project("services:\n  web: {image: host, command: sleep 1000, stop_signal: KILL}\n")
    shop.up()
    pid = eventually(lambda: forkserver(shop))

    assert Path(f"/proc/{pid}/ns/user").readlink() == Path("/proc/self/ns/user").readlink()
    assert shop.exec("web", "echo", "hello").stdout == "hello\n"
    following = started(shop, "logs", "-f")
    the_command(shop)
    following.interrupt()
    assert following.wait() == 130
    assert forkserver(shop) == pid


def test_nonsense_at_its_socket_hurts_nobody(shop: Project) -> None:
    for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02x\0", b"\xff\xff\xff\xff"):
        with socket.socket(socket.AF_UNIX) as hostile:
            hostile.connect(str(shop.engine.run / "fork.sock"))
            hostile.sendall(words)

    pid = forkserver(shop)
    assert set(shop.ps()) == {"shop-web-1"}
    assert forkserver(shop) == pid


def test_many_commands_at_once(shop: Project) -> None:
    running = [shop.start("exec", "-T", "web", "sh", "-c", f"exit {number}") for number in range(12)]

    assert [each.wait() for each in running] == list(range(12))


def test_exec_on_a_terminal_is_raw_has_its_size_and_puts_it_back(shop: Project, terminal: Terminal) -> None:
    terminal.start(shop, "exec", "web", "sh", "-c", "stty size; read line; echo got $line; exit 4")
    terminal.until("33 111")
    assert commands(shop)
    assert not terminal.is_restored()

    terminal.type("words\n")
    terminal.until("got words")

    assert terminal.end() == 4
    assert terminal.is_restored()


def test_ctrl_z_stops_a_command_and_fg_continues_it(shop: Project, terminal: Terminal) -> None:
    terminal.start_program(shop, "sh", "-i")
    terminal.until("$ ")
    terminal.type(f"{' '.join(shop.engine.program)} logs -f\n")
    command = the_command(shop)
    client = client_of(shop)

    # Keys belong to whoever is in the foreground: type them when the shell has made that our client.
    def foreground() -> bool:
        return terminal.foreground() == os.getpgid(client)

    eventually(foreground)
    terminal.type("\x1a")
    eventually(lambda: state(command) == state(client) == "T" and not foreground())
    terminal.type("fg\n")
    eventually(lambda: "T" not in (state(command), state(client)) and foreground())
    terminal.type("\x1a")
    eventually(lambda: state(command) == state(client) == "T" and not foreground())
    terminal.type("bg\n")
    eventually(lambda: "T" not in (state(command), state(client)))
    terminal.type("fg\n")
    eventually(foreground)
    terminal.type("\x03")
    eventually(lambda: is_gone(client) and is_gone(command))
    terminal.type("echo code $?\nexit\n")
    terminal.until("code 130")
    terminal.end()


def test_a_stopped_exec_gives_the_terminal_back_and_reads_it_in_the_foreground_only(
    shop: Project, terminal: Terminal
) -> None:
    def is_raw() -> bool:
        return not termios.tcgetattr(terminal.follower)[3] & termios.ICANON

    terminal.start_program(shop, "sh", "-i")
    terminal.until("$ ")
    terminal.type(f"{' '.join(shop.engine.program)} exec web sh -c 'echo begun; read line; echo got $line'\n")
    terminal.until("begun\r\n")  # its output: what was typed is there at once
    client, command = client_of(shop), the_command(shop)
    eventually(is_raw)

    os.kill(client, signal.SIGTSTP)
    eventually(lambda: state(command) == state(client) == "T")
    eventually(lambda: not is_raw() and terminal.foreground() != os.getpgid(client))
    terminal.type("bg\n")
    time.sleep(0.5)  # it may go on for a moment
    eventually(lambda: state(command) == state(client) == "T")  # as any program that reads, in the background
    terminal.type("fg\n")
    eventually(lambda: "T" not in (state(command), state(client)) and is_raw())
    terminal.type("words\n")
    terminal.until("got words\r\n$ ")  # until then what is typed is still for the command
    terminal.type("exit\n")
    terminal.end()
