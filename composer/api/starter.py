"""Finds the engine or starts it.

Theory of operation: an engine that accepts on run/engine.sock is ready, and connecting is all the usual case costs. If
nobody accepts, whoever gets the lock on run/start.lock looks again, then spawns the keeper, detached; the keeper spawns
the engine, and everybody waits for the socket. A keeper that is alive already (run/keeper.pid) is restarting its engine
by itself and is only waited for: connecting to its socket would push the real engine out.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from composer.errors import EngineError, HostError
from composer.paths import Paths

READY_WITHIN = 20.0
LONGEST_SOCKET_PATH = 107  # sun_path of unix(7), less its terminating null

# -I keeps the user's environment and working directory out of sys.path; -S saves looking for packages: the keeper needs
# the standard library and composer only. Appending, not inserting: beside us may stand a package named like a module.
_KEEPER = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module('composer.keeper', run_name='__main__')"
)


def ensure_engine(paths: Paths, environment: Mapping[str, str]) -> None:
    """Return once an engine accepts connections on `paths.engine_socket`; idempotent, safe to race.

    Raises HostError where the directories cannot be ours, EngineError when the engine does not come up.
    """
    check_socket_path(paths.engine_socket)
    if accepts(paths.engine_socket):
        return
    _make_directory(paths.run)
    _make_directory(paths.data)
    deadline = time.monotonic() + READY_WITHIN
    with _start_lock(paths, deadline):
        if accepts(paths.engine_socket):
            return
        keeper = 0 if _keeper_alive(paths) else _spawn_keeper(paths, environment)
        _await_engine(paths, keeper, deadline)


def check_socket_path(path: Path) -> None:
    """Raises HostError when the path is longer than the kernel can connect to."""
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        raise HostError(
            f"cannot use `{path}` as a socket: {length} bytes, where unix sockets allow {LONGEST_SOCKET_PATH}",
            hint="set COMPOSER_RUN to a shorter directory",
        )


def accepts(path: Path) -> bool:
    """Whether somebody listens on the socket. Raises HostError when it is there and closed to us."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except PermissionError as error:
            raise _not_ours(path) from error
        except OSError as error:
            raise HostError(f"cannot connect to `{path}`: {os.strerror(error.errno or errno.EIO)}") from error
    return True


def _make_directory(path: Path) -> None:
    """The directory, ours and closed to others."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise _not_ours(path)
        if stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o700)
    except PermissionError as error:
        raise _not_ours(path) from error
    except OSError as error:
        raise HostError(f"cannot make `{path}`: {os.strerror(error.errno or errno.EIO)}") from error


def _not_ours(path: Path) -> HostError:
    """The error for a path that belongs to somebody else, naming them: `sudo compose` and `compose` are two engines."""
    why = "permission denied"
    for place in (path, *path.parents):
        with suppress(OSError):
            owner = place.stat().st_uid
            if owner != os.geteuid():
                why = f"`{place}` belongs to {_user_name(owner)}"
            break
    return HostError(
        f"cannot use `{path}`: {why}", hint="set COMPOSER_RUN and COMPOSER_DATA to directories of your own"
    )


def _user_name(uid: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


@contextmanager
def _start_lock(paths: Paths, deadline: float) -> Iterator[None]:
    """Hold run/start.lock; whoever has it starts the processes, and nobody else does."""
    descriptor = os.open(paths.start_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EngineError(
                        "another command has been starting the engine for too long",
                        hint=f"end the process that holds {paths.start_lock} (`fuser` names it)",
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def _keeper_alive(paths: Paths) -> bool:
    """Whether the process in run/keeper.pid (pid and start time) still is that process."""
    try:
        pid, start_time = (paths.run / "keeper.pid").read_text().split()[:2]
        # Field 22 of /proc/PID/stat, counted from behind the name, which may hold anything (proc_pid_stat(5)).
        found = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return False
    return found[0] not in "ZX" and found[19] == start_time


def _spawn_keeper(paths: Paths, environment: Mapping[str, str]) -> int:
    """Start the keeper as a process of its own session; its pid."""
    import composer

    root = str(Path(composer.__file__).parent.parent)
    log = os.open(paths.keeper_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    ready, report = os.pipe2(os.O_CLOEXEC)
    variables = {**environment, "COMPOSER_DATA": str(paths.data), "COMPOSER_RUN": str(paths.run)}
    try:
        pid = os.fork()
        if pid == 0:
            _become_keeper(root, log, null, report, variables)
        os.close(report)
        # The first child only forks the keeper, so that it is nobody's zombie; its pid comes through the pipe.
        answer = os.read(ready, 32)
        os.waitpid(pid, 0)
    finally:
        for descriptor in (log, null, ready):
            os.close(descriptor)
    if not answer.isdigit():
        raise EngineError(f"cannot start the keeper: {answer.decode() or 'no answer'}")
    return int(answer)


def _become_keeper(root: str, log: int, null: int, report: int, variables: Mapping[str, str]) -> None:
    """In the child: leave the session, fork once more, and become the keeper; never returns."""
    try:
        os.setsid()
        pid = os.fork()
        if pid:
            os.write(report, str(pid).encode())
            os._exit(0)
        os.chdir("/")
        os.umask(0o022)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", _KEEPER, root], dict(variables))  # noqa: S606
    except OSError as error:
        os.write(log, f"keeper: {error}\n".encode())
    finally:
        os._exit(127)


def _await_engine(paths: Paths, keeper: int, deadline: float) -> None:
    """Wait until the engine accepts; look often at first, as it usually takes some tens of milliseconds."""
    pause = 0.002
    while not accepts(paths.engine_socket):
        gone = keeper and not Path(f"/proc/{keeper}").exists()
        if gone or time.monotonic() > deadline:
            what = "its keeper ended" if gone else f"not ready after {READY_WITHIN:g} seconds"
            raise EngineError(f"cannot start the engine: {what}{_last_words(paths)}", hint=f"read {paths.engine_log}")
        time.sleep(pause)
        pause = min(pause * 1.2, 0.05)


def _last_words(paths: Paths, lines: int = 8) -> str:
    """The ends of the two logs, as lines to set below an error message."""
    words = ""
    for log in (paths.keeper_log, paths.engine_log):
        with suppress(OSError):
            text = log.read_bytes()[-8192:].decode(errors="replace").splitlines()[-lines:]
            words += "".join(f"\n  {log.name}: {line}" for line in text)
    return words
