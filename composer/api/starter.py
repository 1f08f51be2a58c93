"""Finds the engine or starts it.

Theory of operation: an engine that accepts on run/engine.sock is ready, and connecting is all the usual case costs. If
nobody accepts, whoever gets the lock on run/start.lock looks again, then spawns the keeper, detached; the keeper spawns
the engine, and everybody waits for the socket. A keeper that is alive already (run/keeper.pid) is either restarting its
engine or about to leave, and is only waited for: connecting to its socket would push the real engine out. An engine that
cannot start for what it finds on the disk says so in run/engine.fault, and nobody waits for another.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from composer.errors import ComposerError, EngineError, HostError, error_from_wire
from composer.keeper import launch
from composer.paths import Paths

READY_WITHIN = 60.0
"""Seconds for an engine to come up: a third of one, where nothing is slow."""
ENDED_WITHIN = 20.0
FORKSERVER_WITHIN = 5.0
"""Seconds for which a forkserver may import, before its socket counts as left behind by one that died."""
LONGEST_SOCKET_PATH = 107  # sun_path of unix(7), less its terminating null

_SPAWNS = 2
"""Keepers started in one go: the first may find that a leaving one still holds the directory."""

_PASSED_ON = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"})
_PASSED_ON_PREFIXES = ("COMPOSER_", "XDG_", "LC_", "SSL_CERT_")
"""What the processes take over from the first client's environment: they outlive it, and secrets in it are not theirs."""


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
        _await_engine(paths, environment, deadline)


def ensure_forkserver(environment: Mapping[str, str]) -> None:
    """Start what makes the next commands quick, beside an engine that is there; not being able to is no failure."""
    paths = Paths.from_environment(environment, os.getuid())
    with suppress(OSError, HostError):
        if accepts(paths.engine_socket) and not has_forkserver(paths):
            _spawn(launch.command("composer.forkserver", packages=True), paths, environment, paths.engine_log)


def has_forkserver(paths: Paths) -> bool:
    """Whether a forkserver listens, or has bound its socket a moment ago and is about to."""
    if accepts(paths.fork_socket):
        return True
    with suppress(OSError):
        return time.time() - paths.fork_socket.lstat().st_mtime < FORKSERVER_WITHIN
    return False


def forkserver_pid(paths: Paths) -> int:
    """The process that listens on run/fork.sock, 0 for none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, suppress(OSError):
        probe.connect(str(paths.fork_socket))
        # The first word of `struct ucred` (unix(7)): who called listen(2).
        return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
    return 0


def await_end(*pids: int) -> None:
    """Return when these processes, which have been told to end, have done so. Raises EngineError if one does not."""
    deadline = time.monotonic() + ENDED_WITHIN
    for pid in filter(None, pids):
        while Path(f"/proc/{pid}").exists() and _state(pid) not in "ZX":
            if time.monotonic() > deadline:
                raise EngineError(f"process {pid} of the engine does not end", hint="read `compose engine logs`")
            time.sleep(0.005)


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
        why = "it is there and no directory" if isinstance(error, FileExistsError) else os.strerror(error.errno or 0)
        raise HostError(f"cannot make the directory `{path}`: {why[:1].lower()}{why[1:]}") from error


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


def keeper_pid(paths: Paths) -> int:
    """The process in run/keeper.pid (pid and start time) if it still is that process, else 0."""
    try:
        pid, start_time = (paths.run / "keeper.pid").read_text().split()[:2]
        # Field 22 of /proc/PID/stat, counted from behind the name, which may hold anything (proc_pid_stat(5)).
        found = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return 0
    return int(pid) if found[0] not in "ZX" and found[19] == start_time else 0


def _await_engine(paths: Paths, environment: Mapping[str, str], deadline: float) -> None:
    """Wait until the engine accepts, with a keeper at work; look often at first, as it takes some tens of milliseconds."""
    logs = {log: log.stat().st_size if log.exists() else 0 for log in (paths.keeper_log, paths.engine_log)}
    paths.engine_fault.unlink(missing_ok=True)
    keeper, spawned, pause = 0, 0, 0.002
    while not accepts(paths.engine_socket):
        if not (keeper and Path(f"/proc/{keeper}").exists()) and not keeper_pid(paths):
            if spawned == _SPAWNS:
                raise EngineError(f"cannot start the engine: its keeper ended{_words_since(logs)}", hint=_hint(paths))
            keeper = _spawn(launch.command("composer.keeper"), paths, environment, paths.keeper_log)
            spawned += 1
        if (fault := _fault(paths)) is not None:
            _end_keeper(paths)
            raise fault
        if time.monotonic() > deadline:
            _end_keeper(paths)
            why = f"not ready after {READY_WITHIN:g} seconds"
            raise EngineError(f"cannot start the engine: {why}{_words_since(logs)}", hint=_hint(paths))
        time.sleep(pause)
        pause = min(pause * 1.2, 0.05)


def _fault(paths: Paths) -> ComposerError | None:
    """Why no engine can start, if one has said so."""
    try:
        return error_from_wire(json.loads(paths.engine_fault.read_text()))
    except (FileNotFoundError, ValueError):  # it is just being written
        return None


def _end_keeper(paths: Paths) -> None:
    """Have a keeper leave that would start engines for ever; one that has containers stays."""
    with suppress(OSError):
        if pid := keeper_pid(paths):
            os.kill(pid, signal.SIGTERM)


def _spawn(command: list[str], paths: Paths, environment: Mapping[str, str], log_file: Path) -> int:
    """Start a process in a session of its own, and nobody's child; its pid."""
    variables = {
        name: value for name, value in environment.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    variables |= {"COMPOSER_DATA": str(paths.data), "COMPOSER_RUN": str(paths.run)}
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    ready, report = os.pipe2(os.O_CLOEXEC)
    try:
        child = os.fork()
        if child == 0:
            _become(command, variables, log, report)
        os.close(report)
        # The child only forks, so that the process is nobody's zombie; its pid comes through the pipe.
        answer = os.read(ready, 32)
        os.waitpid(child, 0)
    finally:
        os.close(log)
        os.close(ready)
    if not answer.isdigit():
        raise HostError("cannot start the engine: no more processes can be made")
    return int(answer)


def _become(command: list[str], variables: dict[str, str], log: int, report: int) -> NoReturn:
    """In the child: leave the session, fork once more, and become the program."""
    try:
        os.setsid()
        pid = os.fork()
        if pid:
            os.write(report, str(pid).encode())
            os._exit(0)
        os.chdir("/")
        os.umask(0o022)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execve(command[0], command, variables)  # noqa: S606  a process of ours
    except OSError as error:
        os.write(log, f"{command[-1]}: {error}\n".encode())
    finally:
        os._exit(127)


def _words_since(logs: Mapping[Path, int], lines: int = 8) -> str:
    """What each log has got since it had that size, as lines to set below an error message."""
    words = ""
    for log, size in logs.items():
        with suppress(OSError), log.open("rb") as file:
            file.seek(size)
            text = file.read(1 << 20).decode(errors="replace").splitlines()[-lines:]
            words += "".join(f"\n  {log.name}: {line}" for line in text)
    return words


def _hint(paths: Paths) -> str:
    return f"`compose engine logs` and `compose engine logs --keeper` show the logs in {paths.run}"


def _state(pid: int) -> str:
    """The state letter of proc_pid_stat(5), `X` for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
