"""What is known of a process that was started beside a container's own."""

from __future__ import annotations

import os
import signal

from composer.engine.processes import Running


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
