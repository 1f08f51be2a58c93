"""The sides of the comparison, behind one way to run a command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

SETUP = Path(__file__).with_name("setup.sh")
RUNNER = Path(__file__).with_name("runner.py")


class BenchError(Exception):
    """A command that was to be measured failed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command that succeeded."""

    seconds: float
    stdout: str


class Runner:
    """A `runner.py` at work; `argv` starts it."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to one request. Raises BenchError when it could not be done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "the runner is gone"}')
        if "error" in answer:
            raise BenchError(f"{request}: {answer['error']}")
        return answer

    def run(self, argv: Sequence[str], cwd: str = "/", *, check: bool = True) -> Answer:
        """Run a command to its end. Raises BenchError when it fails, unless `check` is off."""
        answer = self.ask(do="run", argv=list(argv), cwd=cwd)
        if check and answer["code"]:
            raise BenchError(f"{' '.join(argv)}: exit code {answer['code']}\n{answer['stdout']}{answer['stderr']}")
        return Answer(answer["seconds"], answer["stdout"])

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Peer(Protocol):
    """A side: what its commands are called, and where they run."""

    name: str
    compose: tuple[str, ...]
    outside: tuple[str, ...]
    """What goes before a client program that runs beside the containers, on the network they publish their ports to."""
    runner: Runner
    place: str
    """Where its projects are, as its commands see it."""
    network: tuple[str, ...]
    """What goes before a command of the host that shall run on the network of its commands."""
    scratch: str
    """A directory of the host on the kind of file system that its data is on."""

    def image(self, verb: str, reference: str) -> tuple[str, ...]:
        """The command to `pull`, `push` or `rm` an image."""

    def weigh(self, argv: Sequence[str]) -> tuple[float, float]:
        """Run a command: its seconds, and the KiB of the largest resident sets of the tool's processes meanwhile."""

    def processes(self) -> list[int]:
        """The processes that are the tool's own, containers apart."""

    def memory(self) -> float:
        """KiB (PSS) of them all."""

    def close(self) -> None:
        """Leave nothing behind."""


class Project:
    """A Compose file of one side."""

    def __init__(self, peer: Peer, name: str, text: str) -> None:
        self.peer = peer
        self.directory = f"{peer.place}/{name}"
        peer.runner.ask(do="write", path=f"{self.directory}/compose.yaml", text=text)

    def compose(self, *arguments: str, check: bool = True) -> Answer:
        """Run a command of compose on it."""
        return self.peer.runner.run((*self.peer.compose, *arguments), self.directory, check=check)

    def __enter__(self) -> Project:
        self.compose("ls")  # both sides begin awake
        self.compose("down", "-t", "1", check=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.compose("down", "-t", "1", check=False)


def _weigh(runner: Runner, pids: Sequence[int], argv: Sequence[str]) -> tuple[float, float]:
    """`Peer.weigh` for a tool whose processes stay."""
    runner.ask(do="forget", pids=pids)
    seconds = runner.run(argv).seconds
    return seconds, runner.ask(do="peak", pids=pids)["kib"]


def _scratch(memory: bool) -> str:
    return "/dev/shm" if memory else tempfile.gettempdir()


def _start_box(directory: Path, memory: bool) -> tuple[Runner, tuple[str, ...]]:
    """Have the box of this kind with all in it; a runner there, and what leads to its network."""
    environment = {**os.environ, "BENCH_DATA": "memory" if memory else "disk"}
    subprocess.run([SETUP, directory, "all"], check=True, stdout=sys.stderr, env=environment)
    shutil.copy(RUNNER, directory / "bench")
    pid = (directory / "box.pid").read_text().strip()
    runner = Runner([str(SETUP), str(directory), "exec", "python3", "/bench/runner.py"], os.environ)
    return runner, ("nsenter", "-t", pid, "-n")


class Docker:
    """Docker with Compose v2, in the box that `setup.sh` makes in `directory`; with `memory`, its data is on a tmpfs."""

    def __init__(self, directory: Path, *, memory: bool = False) -> None:
        self.name = "docker"
        self.compose: tuple[str, ...] = ("docker", "compose")
        self.outside: tuple[str, ...] = ()
        self.place = "/bench"
        self.scratch = _scratch(memory)
        self.runner, self.network = _start_box(directory, memory)

    def image(self, verb: str, reference: str) -> tuple[str, ...]:
        return ("docker", "rmi" if verb == "rm" else verb, reference)

    def weigh(self, argv: Sequence[str]) -> tuple[float, float]:
        return _weigh(self.runner, self.processes(), argv)

    def processes(self) -> list[int]:
        pids: list[int] = self.runner.ask(do="pids", names=["dockerd", "containerd", "docker-proxy"])["pids"]
        return pids

    def memory(self) -> float:
        return float(self.runner.ask(do="memory", pids=self.processes())["kib"])

    def close(self) -> None:
        self.runner.run(("docker", "builder", "prune", "-af"), check=False)  # `--no-cache` leaves every result behind
        self.runner.close()


class Podman:
    """Podman in the same box, for what needs no Compose file; no process of it stays."""

    def __init__(self, directory: Path, *, memory: bool = False) -> None:
        self.name = "podman"
        self.compose: tuple[str, ...] = ()
        self.outside: tuple[str, ...] = ()
        self.place = "/bench"
        self.scratch = _scratch(memory)
        self.runner, self.network = _start_box(directory, memory)

    def image(self, verb: str, reference: str) -> tuple[str, ...]:
        store = ("--root", "/var/lib/podman", "--storage-driver", "overlay")
        return ("podman", *store, *(("rmi",) if verb == "rm" else (verb, "--tls-verify=false")), reference)

    def weigh(self, argv: Sequence[str]) -> tuple[float, float]:
        answer = self.runner.ask(do="weigh", argv=list(argv))
        if answer["code"]:
            raise BenchError(f"{' '.join(argv)}: exit code {answer['code']}\n{answer['output']}")
        return answer["seconds"], answer["kib"]

    def processes(self) -> list[int]:
        return []

    def memory(self) -> float:
        return 0.0

    def close(self) -> None:
        self.runner.close()


class Composer:
    """composer on the host, with an engine and directories of its own; images from `directory`."""

    def __init__(self, directory: Path, command: str, *, memory: bool = False) -> None:
        self.name = "composer"
        self.compose: tuple[str, ...] = (command,)
        self.outside: tuple[str, ...] = (str(SETUP), str(directory), "host")
        self.scratch = _scratch(memory)
        self._root = Path(tempfile.mkdtemp(prefix="cb-", dir=self.scratch))
        # In memory, as `/run` is on any machine, the others' among them. Short: it holds unix sockets.
        self._run = Path(tempfile.mkdtemp(prefix="cb-", dir=_scratch(True)))
        self.place = str(self._root)
        self.network: tuple[str, ...] = ()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            "COMPOSER_DATA": str(self._root / "d"),
            "COMPOSER_RUN": str(self._run / "r"),
        }
        self.runner = Runner([sys.executable, str(RUNNER)], self.environment)
        for name in ("busybox", "py"):
            tar = directory / "images" / f"{name}.tar"
            self.runner.run([command, "image", "import", str(tar), f"localhost/bench/{name}:1"])

    def image(self, verb: str, reference: str) -> tuple[str, ...]:
        return (*self.compose, "image", verb, reference)

    def weigh(self, argv: Sequence[str]) -> tuple[float, float]:
        return _weigh(self.runner, self.processes(), argv)

    def status(self) -> dict[str, Any]:
        """What `engine status` says."""
        text = self.runner.run([*self.compose, "engine", "status", "--format", "json"]).stdout
        found: dict[str, Any] = json.loads(text)
        return found

    def processes(self) -> list[int]:
        status = self.status()
        return [pid for name in ("engine", "keeper", "data_plane", "pump") if (pid := status[name])]

    def memory(self) -> float:
        return float(self.runner.ask(do="memory", pids=self.processes())["kib"])

    def close(self) -> None:
        self.runner.run([*self.compose, "engine", "stop", "--force"], check=False)
        self.runner.close()
        for directory in (self._root, self._run):
            shutil.rmtree(directory, ignore_errors=True)
