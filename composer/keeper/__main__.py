"""`python -m composer.keeper`: become root in a namespace if need be, take the run directory, listen, serve.

Started by whoever holds `run/start.lock`. It starts the engine, unless told otherwise: `--engine-lives` is what an
engine says whose keeper died (one is started only if that one goes too), `--no-engine` leaves the engine to the caller
for good (tests). A second keeper on the same run directory exits with 0: there is one already.

`--resume FD` is what a keeper says that executes itself in newer code, see `upgrade`; `--rehearse FD` tries whether that would go
well.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

from composer.errors import HostError
from composer.keeper import launch, orphan
from composer.keeper.house import House
from composer.keeper.luggage import claim, open_luggage
from composer.keeper.notes import note
from composer.kernel import privilege, process
from composer.paths import Paths

_TAKEOVER_SECONDS = 1.0
"""How long a keeper that is leaving may still hold the run directory."""


def main() -> int:
    """Run the keeper; the exit status of the process."""
    paths = Paths.current()
    os.environ["COMPOSER_DATA"], os.environ["COMPOSER_RUN"] = str(paths.data), str(paths.run)
    os.environ.setdefault("COMPOSER_UID", str(os.geteuid()))
    options = sys.argv[1:]
    if options[:1] == ["--rehearse"]:
        open_luggage(int(options[1]))
        return 0
    if options[:1] == ["--resume"]:
        return _resume(paths, int(options[1]), options[2:])
    if os.geteuid() != 0:
        return _become_root(paths)
    paths.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (lock := _take(paths.run / "keeper.pid")) is None:
        return 0
    _log_to(paths.keeper_log)
    privilege.prctl(privilege.PR_SET_CHILD_SUBREAPER, 1, about="PR_SET_CHILD_SUBREAPER")
    os.chdir("/")
    note("keeper started")
    return _live(paths, House(paths, options, lock), lock)


def _resume(paths: Paths, memfd: int, options: list[str]) -> int:
    """Go on as the process that we are, in the code that we are now."""
    state = open_luggage(memfd)
    claim(state)  # before the first fork: what others inherit would stay open for ever
    house = House(paths, options, state["lock"], state)
    note("keeper upgraded")
    return _live(paths, house, state["lock"])


def _live(paths: Paths, house: House, lock: int) -> int:
    house.live()
    note("keeper stopped")
    (paths.run / "keeper.pid").unlink(missing_ok=True)
    os.close(lock)
    return 0


def _become_root(paths: Paths) -> int:
    """Execute ourselves as root of new namespaces; comes back with an exit status only if that cannot be."""
    # Imported here: a keeper that is root is smaller without it, and the smaller the faster it clones.
    from composer.keeper.rootless import enter_namespaces

    try:
        former = orphan.find(paths.plane_socket) or orphan.survivor(paths.run / "fifo")
        enter_namespaces(launch.command("composer.keeper", *sys.argv[1:]), os.environ, former)
    except HostError as error:
        note(f"{error.message}; {error.hint}")
        return error.exit_code


def _take(path: Path) -> int | None:
    """The locked pid file, held open as long as we live; None if another keeper holds it and stays."""
    deadline = time.monotonic() + _TAKEOVER_SECONDS
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), path.stat()):
                os.ftruncate(fd, 0)
                os.write(fd, f"{os.getpid()} {process.start_time(os.getpid())}\n".encode())
                return fd
        except FileNotFoundError:  # whoever held it removed it just now: this lock is of no use
            pass
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                return None
            time.sleep(0.02)
        os.close(fd)


def _log_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open("/dev/null", os.O_RDWR)
    for source, standard in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, standard)
    os.close(log)
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
