"""What is known of a process that was started beside a container's own."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from composer.engine.processes import Processes, Running
from composer.engine.records import ContainerRecord
from composer.engine.world import State
from composer.errors import ContainerError
from composer.keeper.runs import Child, Run
from composer.oci.runtime_spec import Process
from composer.runtime.cgroup import NO_CGROUP
from composer.runtime.facts import HostFacts
from tests.unit.engine.shop import config


def fork_sleeper() -> int:
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    return child


def test_a_signal_reaches_the_process_while_it_runs() -> None:
    child = fork_sleeper()
    running = Running("exec-1", os.pidfd_open(child), {})

    running.send("SIGKILL")

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    running.send("SIGKILL")  # gone, and not let go of yet
    running.close()


def test_a_signal_that_comes_too_late_reaches_nobody_who_has_the_descriptor_since() -> None:
    first, second = fork_sleeper(), fork_sleeper()
    running = Running("exec-1", os.pidfd_open(first), {})
    number = running.pidfd
    running.close()
    successor = os.pidfd_open(second)
    os.dup2(successor, number)

    running.send("SIGKILL")
    running.close()

    os.kill(second, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]) == -signal.SIGTERM
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    for fd in {number, successor}:
        os.close(fd)


def test_a_container_that_ends_while_a_command_is_prepared_is_not_taken_for_another() -> None:
    ended, other = fork_sleeper(), fork_sleeper()
    pidfd = os.pidfd_open(ended)
    entered: list[str] = []

    async def end_the_container(*_arguments: object) -> bytes:
        os.kill(ended, signal.SIGKILL)
        os.waitpid(ended, 0)  # noqa: ASYNC222 - killed already
        successor = os.pidfd_open(other)
        os.dup2(successor, pidfd)
        os.close(successor)
        return b""

    async def run(request: Run) -> None:
        lines = Path(f"/proc/self/fdinfo/{request.fds['container']}").read_text().splitlines()
        entered.append(next(line.split()[1] for line in lines if line.startswith("Pid:")))
        raise ContainerError("no such process")

    keeping = SimpleNamespace(children={"c1": Child(ended, 0, pidfd)}, run=run)
    confinement = SimpleNamespace(cgroup=lambda _record: NO_CGROUP, filter=end_the_container)
    processes = Processes(cast(Any, SimpleNamespace(keeping=keeping, facts=HostFacts())), cast(Any, confinement))
    record = ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "", state=State.RUNNING, pid=ended)

    try:
        with pytest.raises(ContainerError, match="`shop-web-1`: it has ended meanwhile"):
            asyncio.run(processes._started(record, Process(("true",)), {}))
    finally:
        os.close(pidfd)
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)

    assert entered == ["-1"]  # the one that was meant
