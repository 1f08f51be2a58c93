"""`python -m composer.keeper`: become root in a namespace if need be, take the run directory, listen, serve.

Started by whoever holds `run/start.lock`. It starts the engine, unless told otherwise: `--engine-lives` is what an
engine says whose keeper died (one is started only if that one goes too), `--no-engine` leaves the engine to the caller
for good (tests). A second keeper on the same run directory exits with 0: there is one already.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path

from composer.errors import HostError
from composer.keeper import child, launch, start
from composer.keeper.auxiliary import Auxiliary
from composer.keeper.connection import Connection, listen
from composer.keeper.journal import Journal
from composer.keeper.keeping import Keeping
from composer.keeper.loop import Loop
from composer.keeper.notes import note
from composer.keeper.requests import Requests
from composer.kernel import privilege, process
from composer.paths import Paths

_TAKEOVER_SECONDS = 1.0
"""How long a keeper that is leaving may still hold the run directory."""
_ENGINE_GONE_SECONDS = 0.25
_ENGINE_RETURNS_SECONDS = 2.0
"""How long an engine that we did not start may take to connect before we start one."""


class House:
    """The keeper process: what it listens on, and how it ends."""

    def __init__(self, paths: Paths, options: list[str]) -> None:
        self._paths = paths
        self._loop = Loop()
        self._keeping = Keeping(self._loop, Journal(paths.journal), start.raise_descriptor_limit())
        self._engine = Auxiliary(
            self._loop, "composer.server", talks=False, survives=True, log=paths.engine_log, unless=self._has_engine
        )
        self._keeping.auxiliaries.append(self._engine)
        self._with_engine = "--no-engine" not in options
        self._engine_lives = "--engine-lives" in options
        self._leaving = False
        self._requests = Requests(self._keeping, self._leave)
        self._listener = listen(paths.keeper_socket)
        self._loop.watch(self._listener.fileno(), self._accept)
        self._watch_signals()

    def live(self) -> None:
        """Serve until asked to stop."""
        if self._engine_lives:
            self._loop.later(_ENGINE_RETURNS_SECONDS, self._ensure_engine)
        else:
            self._ensure_engine()
        child.changed_signals()
        privilege.last_capability()
        gc.collect()
        gc.freeze()  # a child touches no page of what exists now: copy-on-write stays cheap
        self._loop.run()

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError as error:
            note(f"accept: {error.strerror}")
            return
        former = self._keeping.engine
        Connection(self._loop, sock, self._requests.receive, self._lost)
        if former is not None:
            former.close()

    def _lost(self, engine: Connection) -> None:
        if self._keeping.engine is engine:
            self._keeping.engine = None
            note("the engine is gone")
            self._loop.later(
                _ENGINE_RETURNS_SECONDS if self._engine.wanted else _ENGINE_GONE_SECONDS, self._ensure_engine
            )

    def _ensure_engine(self) -> None:
        """Start an engine unless one is connected, or none is wanted; once started by us it is started again."""
        if self._with_engine and not self._leaving:
            self._engine.want()

    def _has_engine(self) -> bool:
        return self._keeping.engine is not None

    def _watch_signals(self) -> None:
        """Turn signals into something to poll."""
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

        def heed() -> None:
            numbers = set(ours.recv(4096))
            if signal.SIGTERM in numbers:
                self._asked_to_end()
            self._keeping.reap_orphans()

        self._loop.watch(ours.fileno(), heed)
        self._kept = (ours, theirs)

    def _asked_to_end(self) -> None:
        if self._keeping.is_idle:
            self._engine.end()
            self._leave()
        else:
            note("SIGTERM ignored: containers run")

    def _leave(self) -> None:
        """End everything, when the answer at hand has been sent."""
        self._leaving = True
        self._engine.wanted = False
        self._keeping.end()
        self._paths.keeper_socket.unlink(missing_ok=True)
        if not self._keeping.journal.exits:
            self._paths.journal.unlink(missing_ok=True)
        self._loop.later(0, self._loop.stop)


def main() -> int:
    """Run the keeper; the exit status of the process."""
    paths = Paths.current()
    os.environ["COMPOSER_DATA"], os.environ["COMPOSER_RUN"] = str(paths.data), str(paths.run)
    os.environ.setdefault("COMPOSER_UID", str(os.geteuid()))
    if os.geteuid() != 0:
        return _become_root()
    paths.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (lock := _take(paths.run / "keeper.pid")) is None:
        return 0
    _log_to(paths.keeper_log)
    privilege.prctl(privilege.PR_SET_CHILD_SUBREAPER, 1, about="PR_SET_CHILD_SUBREAPER")
    os.chdir("/")
    note("keeper started")
    House(paths, sys.argv[1:]).live()
    note("keeper stopped")
    (paths.run / "keeper.pid").unlink(missing_ok=True)
    os.close(lock)
    return 0


def _become_root() -> int:
    """Execute ourselves as root of new namespaces; comes back with an exit status only if that cannot be."""
    # Imported here: a keeper that is root is smaller without it, and the smaller the faster it clones.
    from composer.keeper.rootless import enter_namespaces

    try:
        enter_namespaces(launch.command("composer.keeper", *sys.argv[1:]), os.environ)
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
