"""The life of a child between `clone3` and `execve`: settle, perform the steps, tell what went wrong.

Everything this needs is imported before the clone: after `pivot_root` there is no Python library to import from, and
before it a lookup costs time.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import select
import signal
import socket
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NoReturn

from composer.keeper import perform, steps, wire
from composer.keeper.context import Context
from composer.kernel import clone, namespace, privilege, process

_ALL_NAMESPACES = (
    clone.CLONE_NEWNS
    | clone.CLONE_NEWPID
    | clone.CLONE_NEWNET
    | clone.CLONE_NEWIPC
    | clone.CLONE_NEWUTS
    | clone.CLONE_NEWCGROUP
)
_FAILED = 125
"""What the child exits with when a step failed; the error itself goes over the channel."""


def live(
    channel: socket.socket,
    todo: Sequence[steps.Step],
    *,
    fds: Mapping[str, int],
    stdio: tuple[int, int, int],
    enter: int,
    unshare_cgroup: bool,
    nofile: tuple[int, int],
) -> NoReturn:
    """Be the child: never returns. `enter` is a pidfd whose namespaces to join first, or -1."""
    current: steps.Step | None = None
    try:
        _die_with_the_keeper(channel)
        _settle(stdio, nofile)
        # What it does may take long. Until then nothing of the keeper's may stay open here: somebody waits for the end of a
        # container's input, for a port, for a network to go.
        process.close_all_but({0, 1, 2, channel.fileno(), *fds.values(), *([enter] if enter >= 0 else [])})
        context = Context(channel, fds, unshare_cgroup)
        for step in todo:
            if enter >= 0 and not isinstance(step, steps.JoinCgroup | steps.OomScore):
                _enter(channel, enter)
                enter = -1
            if isinstance(step, steps.Seccomp | steps.Exec):
                privilege.prctl(privilege.PR_SET_PDEATHSIG, 0, about="PR_SET_PDEATHSIG")
            current = step
            perform.perform(context, step)
        wire.send(channel, {"done": True})
        os._exit(0)
    except BaseException as error:
        _tell(channel, current, error)
        os._exit(_FAILED)


@cache
def ignored_signals() -> tuple[int, ...]:
    """The signals that this process ignores; asked once by the keeper, as asking all takes a child long."""
    return tuple(int(number) for number in signal.Signals if signal.getsignal(number) == signal.SIG_IGN)


def _die_with_the_keeper(channel: socket.socket) -> None:
    """Until the program runs, end with the keeper: a start that nobody waits for must not come true by itself.

    Taken back before a filter could forbid it. A change of the user ids does so too, but by then the process is in its
    cgroup, where the engine finds it. The keeper may be gone already: the channel's end tells, getppid in a pid namespace not.
    """
    privilege.prctl(privilege.PR_SET_PDEATHSIG, signal.SIGKILL, about="PR_SET_PDEATHSIG")
    end = select.poll()
    end.register(channel, select.POLLRDHUP)
    if end.poll(0):
        os._exit(_FAILED)


def _settle(stdio: tuple[int, int, int], nofile: tuple[int, int]) -> None:
    """Shed what belongs to the keeper: session, ignored signals (`clone3` did the handled ones), umask, raised limits."""
    gc.disable()
    os.setsid()
    for number in ignored_signals():
        process.restore_signal(number)
    # Not dumpable: until exec, nobody in a container that we join may trace us or open our /proc/<pid>/exe, which is
    # the host's interpreter (CVE-2019-5736).
    privilege.prctl(privilege.PR_SET_DUMPABLE, 0, about="PR_SET_DUMPABLE")
    for standard, fd in enumerate(stdio):
        os.dup2(fd, standard, inheritable=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, nofile)
    os.umask(0)
    os.chdir("/")


def _enter(channel: socket.socket, pidfd: int) -> None:
    """Join every namespace of `pidfd` and go on as a new child of the keeper in there.

    A pid namespace takes effect for children only, hence the second clone; CLONE_PARENT makes the keeper its parent.
    The root is the one of the process that we join: that of its mount namespace is another where we run in a chroot.
    """
    try:
        root = os.open(f"/proc/{process.pid_of(pidfd)}/root", os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise ProcessLookupError(errno.ESRCH, "no such process") from error
    namespace.setns(pidfd, _ALL_NAMESPACES)
    os.fchdir(root)
    os.chroot(".")
    os.close(root)
    pid, inner = clone.clone3(clone.CLONE_PARENT)
    if pid:
        wire.send(channel, {"entered": True}, [inner])
        os._exit(0)
    _die_with_the_keeper(channel)
    os.setsid()


def _tell(channel: socket.socket, step: steps.Step | None, error: BaseException) -> None:
    message = {
        "step": type(step).__name__ if step else "",
        "about": perform.subject(step, error) if step else "",
        "errno": (error.errno or 0) if isinstance(error, OSError) else 0,
        "message": f"{perform.describe(step) if step else 'prepare the process'}: {_why(error)}",
    }
    with contextlib.suppress(OSError):  # the keeper is gone: our exit status has to do
        wire.send(channel, {"error": message})


def _why(error: BaseException) -> str:
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    words = (error.strerror or str(error)) if error.errno else str(error)
    words = words[:1].lower() + words[1:]
    return f"{words} ({error.filename})" if error.filename else words
