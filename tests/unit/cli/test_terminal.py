"""The command line on a real pseudo-terminal, as a process of its own."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.engine import FakeEngine, Server

PATIENCE = 10.0


class Terminal:
    """A pseudo-terminal with a `compose` on it."""

    def __init__(self, directory: Path, run: Path, *arguments: str) -> None:
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (30, 100))
        self.before = termios.tcgetattr(theirs)
        self.text = ""
        environment = {**os.environ, "COMPOSER_RUN": str(run), "TERM": "xterm", "PYTHONPATH": str(Path.cwd())}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "composer", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=directory, env=environment,
            start_new_session=True, preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        )  # fmt: skip
        self._theirs = theirs

    def until(self, pattern: str) -> str:
        """Read until the pattern has come; the text so far, without colours."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text!r}"
            if select.select([self.ours], [], [], 0.1)[0]:
                self.text += re.sub("\x1b\\[[0-9;]*m", "", os.read(self.ours, 65536).decode())
        return self.text

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def restored(self) -> bool:
        return termios.tcgetattr(self._theirs) == self.before

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self._theirs, (rows, columns))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self._theirs)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    (tmp_path / "compose.yaml").write_text("name: shop\nservices:\n  web:\n    image: nginx\n  db:\n    image: pg\n")
    with Server(tmp_path / "run" / "engine.sock") as server:
        yield server.engine


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def start(tmp_path: Path, terminals: list[Terminal], *arguments: str) -> Terminal:
    terminal = Terminal(tmp_path, tmp_path / "run", *arguments)
    terminals.append(terminal)
    return terminal


@pytest.fixture
def cat(tmp_path: Path, engine: FakeEngine, terminals: list[Terminal]) -> Terminal:
    engine.start("shop", "web", 1, "nginx")
    terminal = start(tmp_path, terminals, "exec", "web", "cat")
    terminal.until("ready")
    return terminal


def test_keys_go_to_the_process_as_they_are_pressed(cat: Terminal) -> None:
    cat.type(b"\x03x\x1a")

    cat.until("\x03x\x1a")
    assert cat.process.poll() is None
    assert not cat.restored()


def test_the_window_is_told_at_first_and_whenever_it_changes(cat: Terminal) -> None:
    cat.until(r'"resize": \[30, 100\]')
    cat.resize(40, 120)

    cat.until(r'"resize": \[40, 120\]')


def test_the_detach_keys_leave_the_process_running_and_the_terminal_as_it_was(cat: Terminal) -> None:
    cat.type(b"\x10\x11")

    assert cat.wait() == 0
    assert cat.restored()


def test_sigterm_is_passed_on_and_the_terminal_put_back(cat: Terminal) -> None:
    cat.process.send_signal(signal.SIGTERM)

    cat.until('"signal": "SIGTERM"')
    assert cat.wait() == 130
    assert cat.restored()


def test_the_terminal_is_put_back_when_the_engine_goes_away(
    tmp_path: Path, engine: FakeEngine, terminals: list[Terminal]
) -> None:
    engine.start("shop", "web", 1, "nginx")
    terminal = start(tmp_path, terminals, "exec", "web", "vanish")

    terminal.until("the engine went away; the process may still be running")
    assert terminal.wait() == 1
    assert terminal.restored()


def test_ctrl_c_stops_an_attached_project_gracefully(
    tmp_path: Path, engine: FakeEngine, terminals: list[Terminal]
) -> None:
    terminal = start(tmp_path, terminals, "up")
    terminal.until("web-1  | hello from web")
    terminal.type(b"\x03")

    text = terminal.until("db-1 exited with code 143")
    assert terminal.wait() == 130
    assert "Gracefully stopping... (press Ctrl+C again to force)" in text
    assert terminal.restored()
    assert [container.state for container in engine.containers.values()] == ["exited", "exited"]


def test_a_second_ctrl_c_kills_what_will_not_stop(
    tmp_path: Path, engine: FakeEngine, terminals: list[Terminal]
) -> None:
    engine.stubborn = True
    terminal = start(tmp_path, terminals, "up")
    terminal.until("web-1  | hello from web")
    terminal.type(b"\x03")
    terminal.until("Container shop-web-1 +Stopping")
    terminal.type(b"\x03")

    terminal.until("exited with code 137")
    assert terminal.wait() == 130


def test_ctrl_c_ends_a_detached_up_with_130(tmp_path: Path, engine: FakeEngine, terminals: list[Terminal]) -> None:
    engine.stubborn = True
    engine.start("shop", "web", 1, "nginx")
    terminal = start(tmp_path, terminals, "stop")
    terminal.until("Stopping")
    terminal.type(b"\x03")

    assert terminal.wait() == 130
