"""The forked process: becomes what the client's own process would have been, and runs the application."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import NoReturn, TextIO

from composer import client
from composer.forkserver.identity import Manners, manners, peer
from composer.forkserver.request import Request

HELD = frozenset(signal.Signals(number) for number in client.CAUGHT)
"""What a client passes on: blocked over the fork, or it would be lost on the handlers that the forkserver has."""

_OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)
"""The signals whose disposition the forkserver or the interpreter has changed."""


def fork() -> int:
    """`fork(2)`; in the child `HELD` stays blocked until `live` can take it. Raises OSError."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    return pid


def live(connection: socket.socket, request: Request, fds: Sequence[int]) -> NoReturn:
    """Be the command: never returns. `fds` are the working directory and then what `request.numbers` says."""
    code = 1
    try:
        os.setsid()  # signals of the terminal come by the client, once
        taken = manners(peer(connection))
        _set_signals(taken)
        _take(request, taken, fds)
        connection = _place(connection, request, fds)
        from composer.__main__ import main
        from composer.cli import terminal

        terminal.tell_reader = lambda: connection.sendall(b"reads\n")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        code = main()
    except KeyboardInterrupt:  # one that waited for us to be ready
        code = 130
    except BaseException as error:  # main tells what can go wrong; this is about the lines above
        with contextlib.suppress(OSError):
            os.write(2, f"compose: {error!r}\n".encode())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        with contextlib.suppress(OSError):
            connection.sendall(b"exit %d\n" % (code & 0xFF))
        os._exit(code & 0xFF)


def _set_signals(manners: Manners) -> None:
    from composer.cli.terminal import stop_here

    signal.set_wakeup_fd(-1)
    for number in _OURS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as the interpreter has it
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The default would be nothing: the kernel does not stop a process by this whose shell is in another session.
    signal.signal(signal.SIGTSTP, stop_here)
    for ignored in manners.ignored:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(ignored, signal.SIG_IGN)


def _take(request: Request, manners: Manners, fds: Sequence[int]) -> None:
    """The working directory, environment, arguments and limits."""
    os.fchdir(fds[0])
    os.umask(manners.umask)
    for limit, values in manners.limits:
        if resource.getrlimit(limit) != values:
            resource.setrlimit(limit, values)
    if frozenset(os.sched_getaffinity(0)) != manners.processors:
        os.sched_setaffinity(0, manners.processors)
    os.environb.clear()
    os.environb.update(dict(request.environment))
    time.tzset()
    sys.argv[:] = request.arguments


def _place(connection: socket.socket, request: Request, fds: Sequence[int]) -> socket.socket:
    """Give the descriptors the numbers that they had, and nothing else beside them; the connection, moved out of the way."""
    above = max((2, *request.numbers)) + 1
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in (connection.fileno(), *fds[1:])]
    connection.detach()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) not in moved:
            with contextlib.suppress(OSError):  # the listing's own descriptor
                os.close(int(name))
    for number, fd in zip(request.numbers, moved[1:], strict=True):
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
    sys.stdin = _stream(0, "r", request)
    sys.stdout = _stream(1, "w", request)
    sys.stderr = _stream(2, "w", request)
    return socket.socket(fileno=moved[0])


def _stream(number: int, mode: str, request: Request) -> TextIO:
    """A standard stream as the interpreter makes it; None, whatever its type says, where there is no descriptor."""
    if number not in request.numbers:
        return None  # type: ignore[return-value]
    raw = io.FileIO(number, mode, closefd=False)
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    errors = "backslashreplace" if number == 2 else "surrogateescape"
    return io.TextIOWrapper(
        buffer, request.encoding, errors, line_buffering=mode == "w" and (number == 2 or raw.isatty())
    )
