"""The engine process: `python -m composer.server`, started by the keeper.

It takes its lock, connects to the keeper, recovers what the records and the kernel say, serves, and leaves a minute after
the last container and the last request. Output goes to run/engine.log. With `--rehearse` it is imported, and that is all.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from composer.errors import ComposerError, StateError
from composer.paths import Paths
from composer.server.app import make_handler
from composer.server.handover import Place, make_way
from composer.server.http import Server
from composer.server.lifetime import Lifetime
from composer.server.succession import Succession
from composer.server.wiring import Engine, build

log = logging.getLogger("composer.server")

IDLE_SECONDS = 60.0
_FAREWELL_SECONDS = 1.0
"""How long requests under way may go on when we leave."""


def main() -> int:
    """Run the engine until it is asked to stop or has nothing to do; the exit status."""
    if sys.argv[1:] == ["--rehearse"]:
        return 0  # all of us has been imported
    paths = Paths.current()
    paths.run.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=paths.engine_log, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    lock_file = paths.run / "engine.lock"
    lock = _take_lock(lock_file)
    if lock < 0:
        log.info("another engine runs on %s", paths.run)
        return 0
    os.umask(0o022)
    try:
        if asyncio.run(_serve(paths, lock)):
            lock_file.unlink(missing_ok=True)
            paths.fork_socket.unlink(missing_ok=True)  # of one that was killed
    except ComposerError as error:
        if isinstance(error, StateError):
            with suppress(OSError):
                paths.engine_fault.write_text(json.dumps(error.to_wire()))
        log.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        return 1
    except Exception:
        log.exception("the engine ends")
        return 1
    return 0


def _take_lock(path: Path) -> int:
    """A descriptor that holds the lock for as long as we live, -1 when somebody has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    return descriptor


async def _serve(paths: Paths, lock: int) -> bool:
    """Serve until it is over; whether everything of this engine has ended with it.

    Where we have made way for an engine that does not come up, we begin anew, and remember which one that is.
    """
    unfit: dict[str, str] = {}
    relays: list[asyncio.Task[None]] = []
    while True:
        engine = await build(paths)
        await engine.recover()
        lifetime, succession = _lifetime(engine, unfit)
        server = Server(make_handler(engine.requests, lifetime.end, succession, lifetime.middleware))
        await server.listen(paths.engine_socket)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lifetime.leave)
        paths.engine_fault.unlink(missing_ok=True)
        log.info("serving on %s", paths.engine_socket)
        ending = await lifetime.over()
        if not ending.successor:
            return await _leave(paths, engine, server, everything=ending.everything)
        server.stop()
        relays.append(asyncio.create_task(succession.sessions_over()))
        fault = await make_way(engine, succession, Place(paths, lock), ending.successor, relays)
        if not fault:
            await server.close(_FAREWELL_SECONDS)
            return False
        unfit[succession.edition] = fault


def _lifetime(engine: Engine, unfit: Mapping[str, str]) -> tuple[Lifetime, Succession]:
    requests = engine.requests
    lifetime = Lifetime(engine.busy, float(os.environ.get("COMPOSER_IDLE_SECONDS", IDLE_SECONDS)))
    return lifetime, Succession(
        lifetime, lambda: requests.single.beginning > 0, lambda: requests.restarts.under_way, unfit
    )


async def _leave(paths: Paths, engine: Engine, server: Server, *, everything: bool) -> bool:
    log.info("leaving%s", "" if everything else "; containers go on")
    if everything:
        # Whoever connects from here on must start a new engine rather than reach a dying one.
        paths.engine_socket.unlink(missing_ok=True)
    engine.rooms.bus.close()  # ends the streams of those who listen
    await server.close(_FAREWELL_SECONDS)
    return await engine.close(everything=everything)


if __name__ == "__main__":
    sys.exit(main())
