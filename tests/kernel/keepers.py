"""A real keeper on a run directory of its own, and the shortest lists of steps that run something in it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from composer.errors import EngineError
from composer.keeper.client import Keeper
from composer.keeper.runs import Run, Started
from composer.keeper.steps import (
    Credentials,
    Directory,
    Exec,
    Mount,
    Overlay,
    PivotRoot,
    Propagation,
    Step,
)
from tests.patience import PATIENCE, until

REPOSITORY = Path(__file__).parents[2]
ALL = ("mnt", "pid", "uts", "ipc", "cgroup", "net")
PATH = "PATH=/bin"


class House:
    """Directories, a busybox root file system, and the keeper's process."""

    def __init__(self, directory: Path, *arguments: str, user: int = 0, wrapper: tuple[str, ...] = ()) -> None:
        self.run_directory = directory / "run"
        self.data = directory / "data"
        self.rootfs = self.run_directory / "rootfs"
        self.layer = directory / "layer"
        self.user = user
        self._arguments = arguments
        self._wrapper = wrapper
        for path in (self.run_directory, self.data, self.rootfs, self.layer):
            path.mkdir(exist_ok=True, parents=True)
        make_busybox(self.layer)
        if user:
            subprocess.run(["chown", "-R", f"{user}:{user}", str(directory)], check=True)
        self.process = self.start()

    @property
    def socket(self) -> Path:
        return self.run_directory / "keeper.sock"

    def start(self) -> subprocess.Popen[bytes]:
        environment = {
            "COMPOSER_DATA": str(self.data),
            "COMPOSER_RUN": str(self.run_directory),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
        }
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"] if self.user else []
        # An ordinary user may not be able to reach the interpreter that runs the tests; the keeper needs no library.
        interpreter = "/usr/bin/python3" if self.user else sys.executable
        command = [*self._wrapper, *become, interpreter, "-m", "composer.keeper", "--no-engine", *self._arguments]
        self.process = subprocess.Popen(command, env=environment, cwd="/")
        return self.process

    async def connect(self) -> Keeper:
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.socket.is_socket():
                try:
                    return await Keeper.connect(self.socket)
                except (OSError, EngineError):  # its predecessor's socket
                    if self.process.poll() is not None:
                        raise
            await asyncio.sleep(0.01)
        raise AssertionError("the keeper did not come up: " + self.notes())

    def notes(self) -> str:
        path = self.run_directory / "keeper.log"
        return path.read_text() if path.exists() else ""

    def overlay(self, name: str = "one") -> Overlay:
        """An overlay of the busybox layer with a fresh upper directory called `name`."""
        upper, work = self.data / name / "upper", self.data / name / "work"
        for path in (upper, work):
            path.mkdir(parents=True, exist_ok=True)
            os.chown(path, self.user, self.user)
        os.chown(path.parent, self.user, self.user)
        options = ("userxattr",) if self.user else ()
        return Overlay(str(self.rootfs), (str(self.layer),), str(upper), str(work), options)

    def steps(
        self, *command: str, name: str = "one", more: tuple[Step, ...] = (), init: bool = False
    ) -> tuple[Step, ...]:
        """Overlay, `/proc`, pivot, `more`, then `command` with the caller's credentials."""
        return (
            Propagation(),
            self.overlay(name),
            Mount("proc", "/proc"),
            Directory("/tmp", 0o1777),
            PivotRoot(str(self.rootfs)),
            *more,
            Exec(command, (PATH,), init=init),
        )

    def run(self, id_: str, *command: str, more: tuple[Step, ...] = (), init: bool = False, log: bool = False) -> Run:
        """A container that runs `command` in all new namespaces."""
        return Run(
            id_,
            self.steps(*command, name=id_, more=more, init=init),
            clone=ALL,
            log=str(self.log(id_)) if log else "",
            fifos=str(self.run_directory / "fifo" / id_) if log else "",
        )

    def mounts(self) -> list[str]:
        """The mounts that the host sees of this house."""
        directory = str(self.data.parent)
        return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if directory in line]

    def log(self, id_: str) -> Path:
        path = self.data / id_ / "log"
        path.mkdir(parents=True, exist_ok=True)
        for made in (path, path.parent):
            os.chown(made, self.user, self.user)
        return path

    def end(self) -> None:
        """Kill the keeper and whatever it left."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@asynccontextmanager
async def a_keeper(house: House) -> AsyncIterator[Keeper]:
    """A connected keeper; afterwards its containers are killed and it is stopped."""
    keeper = await house.connect()
    try:
        yield keeper
    finally:
        for child in list(keeper.children.values()):
            signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        await until(lambda: not keeper.children)
        await keeper.stop()
        keeper.close()
        house.process.wait(PATIENCE)


async def output(keeper: Keeper, request: Run) -> str:
    """What the program of `request` writes to stdout and stderr until it ends."""
    reading, writing = os.pipe()
    request = replace(request, fds={**request.fds, "output": writing}, stdout="output", stderr="output")
    try:
        close(await keeper.run(request))
    finally:
        os.close(writing)
    with os.fdopen(reading) as lines:
        text = await asyncio.to_thread(lines.read)
    await keeper.wait(request.id)
    return text


def make_busybox(root: Path) -> None:
    """A root file system: busybox under its usual names."""
    (root / "bin").mkdir(exist_ok=True)
    shutil.copy2("/bin/busybox", root / "bin/busybox")
    for name in ("sh", "sleep", "true", "false", "cat", "echo", "ls", "id", "ps", "kill", "mount", "pwd", "stat", "dd"):
        link = root / "bin" / name
        if not link.is_symlink():
            link.symlink_to("busybox")
    for name in ("etc", "proc", "tmp", "dev", "sys"):
        (root / name).mkdir(exist_ok=True)


def close(started: Started) -> None:
    """Close every descriptor of `started`."""
    for fd in (started.pidfd, *started.reported.values()):
        os.close(fd)


def children_of(pid: int) -> list[int]:
    """The children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal by now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> number - 1 & 1)


def touch_inside(pid: int, path: str) -> None:
    """Make a file in the root file system of a process."""
    Path(f"/proc/{pid}/root", path.lstrip("/")).touch()


def wait_until_gone(pid: int) -> None:
    """Return once no process `pid` exists."""
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def as_root() -> Credentials:
    """Root without capabilities."""
    return Credentials(0, 0)
