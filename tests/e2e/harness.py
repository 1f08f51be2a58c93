"""What a scenario needs: an engine of its own, projects on it, commands that run, and waiting without sleeping blindly.

An `Engine` has its own data and run directory, so scenarios neither see each other nor the user's engine. A scenario
drives `python -m composer` the way a shell would: arguments, environment, real signals, exit codes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from tests.e2e.leftovers import Marks, find_leftovers, read_marks
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[2]

IDLE = """["sh", "-c", "trap 'exit 0' TERM INT; sleep infinity & wait"]"""
"""A command that does nothing and obeys SIGTERM at once, as the YAML of `command:`."""

STUBBORN = """["sh", "-c", "trap '' TERM INT; while :; do sleep 0.2; done"]"""
"""A command that ignores what asks it to stop."""

HTTP = """["python3", "-u", "-c", "import http.server, signal, sys; signal.signal(15, lambda *_: sys.exit(0)); \
http.server.ThreadingHTTPServer(('', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()"]"""
"""A web server on port 8000 that serves its working directory."""

T = TypeVar("T")

_SWEEPERS: list[subprocess.Popen[bytes]] = []
"""What deletes the directories of engines that are gone."""


class ScenarioError(AssertionError):
    """A step of a scenario did not do what it was told to."""


@dataclass(frozen=True, slots=True)
class Result:
    """A finished command."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def output(self) -> str:
        """Both streams, for checks that do not care where a sentence is printed."""
        return self.stdout + self.stderr

    def lines(self) -> list[str]:
        return self.stdout.splitlines()

    def __str__(self) -> str:
        return f"compose {' '.join(self.arguments)} -> {self.code}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"


@dataclass(slots=True)
class Running:
    """A command that goes on: `up` attached, `logs -f`. It leads its own process group, as under a terminal."""

    process: subprocess.Popen[str]
    arguments: tuple[str, ...]
    output: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.output.append(line)
        stream.close()

    @property
    def text(self) -> str:
        return "".join(self.output)

    def until(self, words: str, timeout: float = PATIENCE) -> None:
        """Wait until the output holds `words`."""
        eventually(lambda: words in self.text, timeout, lambda: f"`{words}` never came; there was:\n{self.text}")

    def interrupt(self) -> None:
        """What Ctrl-C does: SIGINT to the foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, timeout: float = PATIENCE) -> int:
        """The exit code, with all output read."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ScenarioError(f"compose {' '.join(self.arguments)} did not end; there was:\n{self.text}") from None
        for thread in self._threads:
            thread.join(PATIENCE)
        return code

    def kill(self) -> None:
        """SIGKILL; idempotent."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Engine:
    """One composer with its own directories; started by the first command that needs it."""

    def __init__(self, uid: int = 0, root: Path | None = None, wrapper: Sequence[str] = ()) -> None:
        """`wrapper` executes every command, as who runs the tests, before that becomes `uid`."""
        # Unix socket paths hold 107 bytes: the directory must be short.
        self.root = root or Path(tempfile.mkdtemp(prefix="c-", dir=os.environ.get("TMPDIR", "/tmp")))
        self.root.chmod(0o755)
        self.uid = uid
        self.wrapper = tuple(wrapper)
        self.data, self.run, self.home = self.root / "d", self.root / "r", self.root / "h"
        self.config = self.root / "c"
        for directory in (self.data, self.run, self.home, self.config):
            directory.mkdir(exist_ok=True)
            os.chown(directory, uid if os.geteuid() == 0 else -1, uid if os.geteuid() == 0 else -1)
        self.program: tuple[str, ...] = (sys.executable, "-m", "composer")
        self.python_path = str(REPOSITORY)
        self.marks = Marks(self.root)
        self._running: list[Running] = []
        self._projects: set[str] = set()

    @property
    def environment(self) -> dict[str, str]:
        """What every command gets; of the caller's, only what finds programs."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": self.python_path,
            "PYTHONDONTWRITEBYTECODE": "1" if self.uid else "",
            "COMPOSER_DATA": str(self.data),
            "COMPOSER_RUN": str(self.run),
            "COMPOSER_CONFIG": str(self.config),
        }

    def compose(
        self,
        *arguments: str,
        cwd: Path | None = None,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 3 * PATIENCE,
        check: bool = False,
    ) -> Result:
        """Run a command to its end. With `check`, any exit code but 0 fails the scenario."""
        started = time.monotonic()
        process = self._spawn(arguments, cwd, environment, subprocess.PIPE)
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            raise ScenarioError(
                f"compose {' '.join(arguments)} did not end in {timeout} s\n{stdout}{stderr}\n{self.engine_logs()}"
            ) from None
        self.marks.update(read_marks(self.data))
        result = Result(arguments, process.returncode, stdout, stderr, time.monotonic() - started)
        if check and result.code != 0:
            raise ScenarioError(f"{result}\n{self.engine_logs()}")
        return result

    def start(self, *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> Running:
        """Start a command that goes on; it is killed at the end of the scenario at the latest."""
        running = Running(self._spawn(arguments, cwd, environment, subprocess.DEVNULL), arguments)
        self._running.append(running)
        return running

    def _spawn(
        self, arguments: Sequence[str], cwd: Path | None, environment: Mapping[str, str] | None, stdin: int
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._identity(), *self.program, *arguments],
            cwd=cwd or self.home,
            env={**self.environment, **(environment or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def _identity(self) -> list[str]:
        if self.uid == os.geteuid():
            return []
        return [*self.wrapper, "setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]

    def project(self, text: str, *, name: str = "shop", files: Mapping[str, str] | None = None) -> Project:
        """Write a Compose file, and files beside it, into a directory that gives the project its name."""
        project = Project(self, self.home / name)
        project.directory.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(project.directory, self.uid, self.uid)
        self._projects.add(name)
        project.write(text)
        for path, content in (files or {}).items():
            target = project.directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        return project

    def status(self) -> dict[str, Any]:
        """`compose engine status` as data."""
        status: dict[str, Any] = json.loads(self.compose("engine", "status", "--format", "json", check=True).stdout)
        return status

    def pid(self, process: str) -> int:
        """The pid of `engine`, `keeper`, `data_plane` or `pump`, by the engine's own word."""
        return int({key.lower().replace("-", "_"): value for key, value in self.status().items()}[process])

    def kill(self, process: str) -> int:
        """SIGKILL one of this engine's own processes and wait until it is gone; its pid."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: is_gone(pid), message=f"{process} ({pid}) survived SIGKILL")
        return pid

    def engine_logs(self) -> str:
        """The tails of what the processes say of themselves, for messages of failed scenarios."""
        tails = {log.name: log.read_text(errors="replace").splitlines()[-40:] for log in sorted(self.run.glob("*.log"))}
        return "\n".join(f"--- {name}\n" + "\n".join(lines) for name, lines in tails.items())

    def leftovers(self) -> list[str]:
        """Everything in the kernel and on disk that is this engine's, one line each; empty means nothing is left."""
        self.marks.update(read_marks(self.data))
        return find_leftovers(self.marks, self.data, self.run)

    def close(self) -> list[str]:
        """Take everything down; what is left then. The directories go if nothing is."""
        for running in self._running:
            running.kill()
        problems: list[str] = []
        if self.data.exists() and (self.data / "state.db").exists():
            listed = self.compose("ls", "-a", "--format", "json")
            # A project that is down is not listed, and still has its volumes.
            names = {entry["Name"] for entry in json_lines(listed.stdout)} if listed.code == 0 else set()
            for name in sorted(names | self._projects):
                down = self.compose("-p", name, "down", "-v", "-t", "1", "--remove-orphans")
                if down.code:
                    problems.append(str(down))
            stop = self.compose("engine", "stop")
            if stop.code:
                problems.append(str(stop))
        try:
            eventually(lambda: not self.leftovers())
        except ScenarioError:
            problems += [*self.leftovers(), self.engine_logs()]
            self._clear()
        self._delete()
        return problems

    def _delete(self) -> None:
        """Let the directories go while other tests run: some file systems take a minute for a store's many files."""
        gone = Path(f"{self.root}.gone")
        try:
            self.root.rename(gone)
        except FileNotFoundError:
            return
        _SWEEPERS.append(subprocess.Popen(["rm", "-rf", "--one-file-system", str(gone)], start_new_session=True))

    def _clear(self) -> None:
        """After a failure: end this engine's own processes, unmount what is below its directory."""
        for line in self.leftovers():
            kind, _, rest = line.partition(" ")
            if kind == "process":
                try_kill(int(rest.split()[0]))
            elif kind == "mount":
                subprocess.run(["umount", "-l", rest.split()[0]], capture_output=True)


@dataclass(slots=True)
class Project:
    """A Compose file in a directory, and the commands on it."""

    engine: Engine
    directory: Path

    def write(self, text: str) -> None:
        """Replace the Compose file."""
        (self.directory / "compose.yaml").write_text(textwrap.dedent(text))

    def edit(self, old: str, new: str) -> None:
        """Change the Compose file in one place."""
        text = (self.directory / "compose.yaml").read_text()
        assert old in text, f"the scenario's file has no `{old}`"
        (self.directory / "compose.yaml").write_text(text.replace(old, new))

    def compose(self, *arguments: str, **options: Any) -> Result:
        """Run a command in the project's directory."""
        return self.engine.compose(*arguments, cwd=self.directory, **options)

    def start(self, *arguments: str, **options: Any) -> Running:
        """Start a command that goes on in the project's directory."""
        return self.engine.start(*arguments, cwd=self.directory, **options)

    def up(self, *arguments: str) -> Result:
        """`up -d`, which must succeed."""
        return self.compose("up", "-d", *arguments, check=True)

    def down(self, *arguments: str) -> Result:
        """`down`, which must succeed."""
        return self.compose("down", *arguments, check=True)

    def ps(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """`ps --format json` of all containers, by name."""
        result = self.compose("ps", "-a", "--format", "json", *arguments, check=True)
        return {entry["Name"]: entry for entry in json_lines(result.stdout)}

    def container(self, service: str) -> dict[str, Any]:
        """The `ps` entry of a service's only container; one that is being replaced is waited for."""
        found: list[dict[str, Any]] = []

        def only() -> bool:
            found[:] = [entry for entry in self.ps().values() if entry["Service"] == service]
            return len(found) == 1

        eventually(only, message=lambda: f"`{service}` has {len(found)} containers: {found}")
        return found[0]

    def exec(self, service: str, *command: str) -> Result:
        """`exec -T`, which must succeed."""
        return self.compose("exec", "-T", service, *command, check=True)

    def logs(self, *services: str) -> list[str]:
        """The log lines without prefix."""
        return self.compose("logs", "--no-log-prefix", *services, check=True).lines()

    def wait_caught(self, service: str, signal: signal.Signals) -> None:
        """Wait until the service's first process catches a signal: until then the kernel keeps it from a pid 1."""
        status = Path(f"/proc/{self.container(service)['Pid']}/status")

        def caught() -> bool:
            mask = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
            return bool(int(mask, 16) >> signal - 1 & 1)

        eventually(caught, message=f"`{service}` does not catch {signal.name}")

    def wait_state(self, service: str, state: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until the service's only container is in a state; its `ps` entry."""
        return eventually(
            lambda: found if (found := self.container(service))["State"] == state else None,
            timeout,
            lambda: f"`{service}` is not {state}: {self.container(service)}",
        )


def eventually(
    probe: Callable[[], T | None], timeout: float = PATIENCE, message: str | Callable[[], str] = "it never came true"
) -> T:
    """The first truthy answer of `probe`, asked again and again until the time is up."""
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise ScenarioError(message if isinstance(message, str) else message())
        time.sleep(0.05)


def json_lines(text: str) -> list[dict[str, Any]]:
    """Objects one a line, as Docker Compose prints them, or one array of them."""
    if text.lstrip().startswith("["):
        array: list[dict[str, Any]] = json.loads(text)
        return array
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def is_gone(pid: int) -> bool:
    """Whether no process has this pid; a zombie counts as gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def sleepers(seconds: int) -> list[int]:
    """The processes `sleep SECONDS` of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def try_kill(pid: int) -> None:
    """SIGKILL a process of a failed scenario; one that is gone is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def fetch(url: str, *, data: str | None = None, timeout: float = 20) -> str:
    """The body behind a URL; raises OSError where nothing answers."""
    body = data.encode() if data is not None else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, body, timeout) as reply:
            return bytes(reply.read()).decode()
    except urllib.error.HTTPError as error:
        with error:
            raise ScenarioError(f"{url} answered {error.code}: {error.read().decode(errors='replace')}") from None


def fetched(url: str, timeout: float = PATIENCE, *, data: str | None = None) -> str:
    """The body behind a URL, as soon as it answers."""

    def probe() -> str | None:
        try:
            return fetch(url, data=data)
        except OSError:
            return None

    return eventually(probe, timeout, f"{url} does not answer")
