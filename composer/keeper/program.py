"""The last step: becoming the container's program, or running it under a small init (`execve(2)`)."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
from collections.abc import Mapping
from typing import NoReturn

from composer.keeper import wire
from composer.keeper.context import Context
from composer.keeper.steps import Exec
from composer.kernel.process import close_on_exec_from, rename

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NO_INTERPRETER = errno.ELIBACC
"""Told in place of ENOENT where the program is there and what it needs to be executed is not; execve(2) never says it."""
WINDOWS = "a file from Windows"

_NOT_PASSED_ON = {
    signal.SIGCHLD,
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGABRT,
    signal.SIGSYS,
    signal.SIGTTIN,
    signal.SIGTTOU,
}
"""Signals that concern the init itself, or that the kernel raises for what a process did."""


def execute(context: Context, step: Exec) -> NoReturn:
    """Become the program; does not return. Raises OSError: ENOENT if not found, EACCES if it may not be executed."""
    environment = dict(item.partition("=")[::2] for item in step.environment)
    path = find_program(step.arguments[0], environment)
    if step.init:
        _run_under_init(context, path, step.arguments, environment)
    _replace(context, path, step.arguments, environment)


def find_program(name: str, environment: Mapping[str, str]) -> str:
    """The path of `name`, looked up in PATH unless it has a slash. Raises OSError as `execute` says."""
    if not name:
        raise FileNotFoundError(errno.ENOENT, "an empty name", "")
    if "/" in name:
        return name
    refused = ""
    for directory in environment.get("PATH", DEFAULT_PATH).split(":"):
        path = os.path.join(directory or ".", name)  # noqa: PTH118 - no pathlib between fork and exec
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        if os.access(path, os.X_OK, effective_ids=True):
            return path
        refused = refused or path
    if refused:
        raise PermissionError(errno.EACCES, "permission denied", refused)
    raise FileNotFoundError(errno.ENOENT, "not found in PATH")


def _replace(context: Context, path: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> NoReturn:
    close_on_exec_from(3)
    wire.send(context.channel, {"exec": True})
    try:
        os.execve(path, arguments, environment)  # noqa: S606 - the point of it all
    except OSError as error:
        if error.errno == errno.ENOENT and os.path.exists(path):  # noqa: PTH110
            raise OSError(NO_INTERPRETER, _what_it_lacks(path), path) from None
        raise OSError(error.errno, _why_not(error), path) from None


def _what_it_lacks(path: str) -> str:
    """What a program that is there needs and does not find: a script's interpreter, or the loader of a linked program."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            first = file.read(256).partition(b"\n")[0]
    except OSError:
        return "the interpreter that it names is missing"
    if not first.startswith(b"#!"):
        return "the loader that it is linked for is missing: it is for an image with another C library"
    name = first[2:].decode(errors="replace").strip().partition(" ")[0]
    windows = f" (a carriage return follows the name: this is {WINDOWS})" if first.endswith(b"\r") else ""
    return f"the interpreter `{name}` that its first line names is missing{windows}"


def _why_not(error: OSError) -> str:
    if error.errno == errno.ENOEXEC:
        return "not a program for this machine, and no `#!` in its first line"
    return os.strerror(error.errno or 0).lower()


def _run_under_init(
    context: Context, path: str, arguments: tuple[str, ...], environment: Mapping[str, str]
) -> NoReturn:
    """Stay as pid 1: run the program as a child, pass signals on, reap orphans, end as the program ends."""
    passed_on = signal.valid_signals() - _NOT_PASSED_ON
    signal.pthread_sigmask(signal.SIG_BLOCK, passed_on | {signal.SIGCHLD, signal.SIGTTOU})
    waits, holds = os.pipe()
    child = os.fork()
    if child == 0:
        # The program is not to find anything of the keeper's in pid 1: that ends as all of it is closed there.
        os.close(holds)
        os.read(waits, 1)
        _take_terminal()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _replace(context, path, arguments, environment)
    with contextlib.suppress(OSError):
        # The keeper's own command line is nobody's business in there.
        rename("init", ["init", "--", *arguments])
    # Nothing of the keeper may stay open here: the channel's end tells that the program runs.
    os.closerange(3, 1 << 20)
    while True:
        number = signal.sigwait(passed_on | {signal.SIGCHLD})
        if number == signal.SIGCHLD:
            _reap_until(child)
        else:
            _pass_on(child, number)


def _take_terminal() -> None:
    """Lead a process group of our own, in the foreground: what a terminal sends reaches the program once."""
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):  # ENOTTY: stdin is no terminal
        os.tcsetpgrp(0, os.getpgrp())


def _reap_until(child: int) -> None:
    """Reap whatever ended; exit when `child` did."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _pass_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended a moment ago; SIGCHLD waits
        os.kill(child, number)
