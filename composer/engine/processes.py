"""Further processes in a running container: `exec`, and the probes of its health."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import select
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace

from composer.api.messages import ExecRequest
from composer.api.stream import STDERR, STDOUT
from composer.engine.confinement import Confinement
from composer.engine.pipes import chunks
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.sessions import ProcessSession
from composer.engine.translate import exec_process
from composer.engine.unstartable import why_not_run
from composer.errors import ContainerError, EngineError
from composer.keeper.runs import Run
from composer.oci.runtime_spec import Box, Process
from composer.runtime import signals
from composer.runtime.compile import exec_steps

MOST_OUTPUT = 4096
"""Bytes of a probe's output that are kept, as Docker does."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a health probe said."""

    status: int
    """Exit status; -1 when it did not end in time."""
    output: str


class Processes:
    """Starts processes in running containers."""

    def __init__(self, rooms: Rooms, confinement: Confinement) -> None:
        self._rooms = rooms
        self._confinement = confinement

    async def exec(self, record: ContainerRecord, request: ExecRequest) -> ProcessSession:
        """A session with a new process.

        Raises:
            ContainerError: no such user; exit_code 127 or 126 for a command that is not found or not executable.
        """
        process = self._process(record, request)
        pipes = _Terminal() if request.tty else _Pipes()
        try:
            started = await self._started(record, process, pipes.theirs)
        except BaseException:
            pipes.close_ours()
            raise
        finally:
            pipes.close_theirs()
        outputs, stdin = pipes.ours(started.reported)
        return ProcessSession(
            outputs,
            lambda: self._exited(started),
            stdin=stdin,
            terminal=request.tty,
            signal=started.send,
            let_go=started.close,
        )

    async def detached(self, record: ContainerRecord, request: ExecRequest) -> None:
        """Start a process and let it be. Raises as `exec` does."""
        started = await self._started(record, self._process(record, request), {})
        started.close()
        for fd in started.reported.values():
            os.close(fd)

    async def probe(self, record: ContainerRecord, test: tuple[str, ...], timeout: float) -> Probe:
        """Run a healthcheck's test; one that does not end in `timeout` seconds is killed and failed."""
        command = ("/bin/sh", "-c", *test[1:]) if test[0] == "CMD-SHELL" else test[1:]
        return await self.run(record, ExecRequest(record.service, command), timeout)

    async def run(self, record: ContainerRecord, request: ExecRequest, timeout: float) -> Probe:
        """Run a command to its end, as `probe` does; one that cannot be run has failed."""
        process = self._process(record, request)
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            started = await self._start(record, process, {"stdout": writing, "stderr": writing})
        except ContainerError as error:
            os.close(reading)
            return Probe(error.exit_code, error.message)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return await self._outcome(started, reading, timeout)

    async def _outcome(self, started: Running, reading: int, timeout: float) -> Probe:
        output = bytearray()

        async def read() -> None:
            async for data in chunks(reading):
                output.extend(data[: MOST_OUTPUT - len(output)])

        reader = asyncio.create_task(read())
        try:
            async with asyncio.timeout(timeout):
                status = await self._rooms.keeping.keeper.wait(started.id)
        except TimeoutError:
            status = -1
            started.send("SIGKILL")
        finally:
            started.close()
            await asyncio.wait([reader], timeout=0.05)  # what is left in the pipe; a daemon may keep it open
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        text = output.decode("utf-8", "replace").strip()
        return Probe(status, text if status >= 0 else f"no answer within {timeout:g} s" + (f": {text}" if text else ""))

    def _process(self, record: ContainerRecord, request: ExecRequest) -> Process:
        identity = self._confinement.identity(record, self._confinement.image(record), request.user)
        process = exec_process(
            record.config,
            identity,
            record.config.hostname or record.id[:12],
            request.command,
            environment=request.environment,
            working_dir=request.working_dir,
            terminal=request.tty,
            privileged=request.privileged,
        )
        # From the start: a program may ask for the size at once.
        size = Box(request.rows, request.columns) if request.tty and request.rows and request.columns else None
        return replace(process, console_size=size)

    async def _started(self, record: ContainerRecord, process: Process, streams: Mapping[str, int]) -> Running:
        """As `_start`, with what went wrong in words for whoever asked."""
        try:
            return await self._start(record, process, streams)
        except ContainerError as error:
            program = process.args[0] if process.args else ""
            message, hint = why_not_run(error, program)
            if message == error.message:
                raise
            told = f"cannot run a command in `{record.name}`: {message}"
            raise ContainerError(
                told, hint=hint, step=error.step, errno=error.errno, exit_code=error.exit_code
            ) from error

    async def _start(self, record: ContainerRecord, process: Process, streams: Mapping[str, int]) -> Running:
        child = self._rooms.keeping.children.get(record.id)
        if child is None:
            raise ContainerError(f"cannot run a command in `{record.name}`: it does not run")
        # Our own: should the container end meanwhile, the number may be another container's before the keeper has it.
        container = os.dup(child.pidfd)
        try:
            return await self._enter(record, process, {"container": container, **streams})
        except ContainerError as error:
            if _has_ended(container):
                raise ContainerError(f"cannot run a command in `{record.name}`: it has ended meanwhile") from error
            raise
        finally:
            os.close(container)

    async def _enter(self, record: ContainerRecord, process: Process, fds: Mapping[str, int]) -> Running:
        bounding = process.capabilities.bounding if process.capabilities else ()
        steps = exec_steps(
            process,
            self._rooms.facts,
            cgroup=self._confinement.cgroup(record),
            seccomp=await self._confinement.filter(record, bounding),
        )
        name = f"exec-{secrets.token_hex(8)}"
        started = await self._rooms.keeping.run(
            Run(
                id=name,
                steps=steps,
                enter="container",
                fds=fds,
                stdin="stdin" if "stdin" in fds else "",
                stdout="stdout" if "stdout" in fds else "",
                stderr="stderr" if "stderr" in fds else "",
                journal=False,
            )
        )
        return Running(name, started.pidfd, started.reported)

    async def _exited(self, started: Running) -> int:
        try:
            return await self._rooms.keeping.keeper.wait(started.id)
        except EngineError:
            # The keeper died and with it the knowledge of how this ended; that it ended is still seen.
            await _ended(started.pidfd)
            return 255
        finally:
            started.close()


@dataclass(slots=True)
class Running:
    """A started process; its descriptors are ours to close."""

    id: str
    pidfd: int
    reported: Mapping[str, int]

    def send(self, name: str) -> None:
        """Send a signal, to nobody once the process has ended: by then its descriptor may be another one's."""
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signals.number(name))

    def close(self) -> None:
        """Let go of the process; idempotent."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


class _Terminal:
    """The streams of a process with a pty: made by the process itself, its master reported."""

    theirs: Mapping[str, int] = {}

    def ours(self, reported: Mapping[str, int]) -> tuple[dict[int, int], int]:
        """The outputs by kind, and the input."""
        master = reported["pty"]
        return {STDOUT: master}, os.dup(master)

    def close_theirs(self) -> None:
        """Nothing was opened."""

    def close_ours(self) -> None:
        """Nothing was opened."""


class _Pipes:
    """Three pipes."""

    def __init__(self) -> None:
        self._stdin = os.pipe2(os.O_CLOEXEC)
        self._stdout = os.pipe2(os.O_CLOEXEC)
        self._stderr = os.pipe2(os.O_CLOEXEC)
        self.theirs: Mapping[str, int] = {
            "stdin": self._stdin[0],
            "stdout": self._stdout[1],
            "stderr": self._stderr[1],
        }

    def ours(self, _reported: Mapping[str, int]) -> tuple[dict[int, int], int]:
        """The outputs by kind, and the input."""
        return {STDOUT: self._stdout[0], STDERR: self._stderr[0]}, self._stdin[1]

    def close_theirs(self) -> None:
        """Close the process's ends, so that ours end with it."""
        for fd in self.theirs.values():
            os.close(fd)

    def close_ours(self) -> None:
        """Close the other ends: there will be no process."""
        for fd in (self._stdin[1], self._stdout[0], self._stderr[0]):
            os.close(fd)


def _has_ended(pidfd: int) -> bool:
    """Whether the process has (`pidfd_open(2)`: it is readable then)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


async def _ended(pidfd: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
