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
from contextlib import suppress
from pathlib import Path

from composer.errors import ComposerError, StateError
from composer.paths import Paths
from composer.server.app import make_handler
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
    """Serve until it is over; whether everything of this engine has ended with it."""
    engine = await build(paths)
    await engine.recover()
    lifetime = Lifetime(engine.busy, float(os.environ.get("COMPOSER_IDLE_SECONDS", IDLE_SECONDS)))
    succession = Succession(lifetime, lambda: engine.requests.beginning > 0, lambda: engine.requests.restarts.under_way)
    server = Server(make_handler(engine.requests, lifetime.end, succession, lifetime.middleware))
    await server.listen(paths.engine_socket)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lifetime.leave)
    paths.engine_fault.unlink(missing_ok=True)
    log.info("serving on %s", paths.engine_socket)
    ending = await lifetime.over()
    if ending.successor:
        await _make_way(engine, server, succession, lock, ending.successor)
        await server.close(_FAREWELL_SECONDS)
        return False
    end_all = ending.everything
    log.info("leaving%s", "" if end_all else "; containers go on")
    if end_all:
        # Whoever connects from here on must start a new engine rather than reach a dying one.
        paths.engine_socket.unlink(missing_ok=True)
    engine.rooms.bus.close()  # ends the streams of those who listen
    await server.close(_FAREWELL_SECONDS)
    return await engine.close(everything=end_all)


async def _make_way(
    engine: Engine, server: Server, succession: Succession, lock: int, successor: tuple[str, ...]
) -> None:
    """Have a successor started, with nothing of ours in its way; return when nobody is attached to us any more."""
    log.info("making way for another engine")
    server.stop()
    await engine.retire()
    succession.break_off()
    fcntl.flock(lock, fcntl.LOCK_UN)
    over = asyncio.create_task(succession.sessions_over())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.cancel)

    def alone() -> None:
        over.cancel()  # nobody will tell us how what we relay ends

    await engine.rooms.keeping.retire(successor, alone)
    await asyncio.wait([over])
    log.info("the last session is over")
    engine.logs.close()


if __name__ == "__main__":
    sys.exit(main())
