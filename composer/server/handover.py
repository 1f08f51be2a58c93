"""Making way for another engine, and coming back where that does not come up.

The other one is started by the keeper once nothing of ours is in its way. Until it serves we look whether it does: one that ends
over its start, and again, has failed. Then its lock is ours once more, and this process begins anew with what it has imported,
also where the installed files are the other one's by now.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from composer.api.starter import accepts
from composer.engine.keeping import Keeping
from composer.errors import ComposerError
from composer.paths import Paths
from composer.server.succession import Succession
from composer.server.wiring import Engine

log = logging.getLogger("composer.server")

_TRIES = 2
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """What one engine at a time may have."""

    paths: Paths
    lock: int
    """A descriptor of run/engine.lock."""

    def clear(self) -> None:
        """Let another engine have it."""
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def take(self) -> bool:
        """Have it again; whether it is ours, which it is not while another engine lives."""
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


async def make_way(
    engine: Engine,
    succession: Succession,
    place: Place,
    successor: Sequence[str],
    relays: Sequence[asyncio.Task[None]],
) -> str:
    """Have a successor started, with nothing of ours in its way; return when all `relays` are over.

    Where it does not come up, its last words are returned, and the place is ours again.
    """
    log.info("making way for another engine")
    await engine.retire()
    succession.break_off()
    place.clear()
    told = asyncio.Event()

    def leave() -> None:
        told.set()
        for relay in relays:
            relay.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave)
    said = _size(place)
    await engine.rooms.keeping.retire(successor, leave)  # without a keeper nobody tells us how what we relay ends
    if not await _is_followed(engine.rooms.keeping, place, told):
        fault = _last_words(place, said)
        log.error("the other engine does not come up: %s", fault)
        return fault
    if relays:
        await asyncio.wait(relays)
    log.info("the last session is over")
    engine.logs.close()
    return ""


async def _is_followed(keeping: Keeping, place: Place, told: asyncio.Event) -> bool:
    """Whether another engine serves, or we are `told` to leave; if not, several have ended over that."""
    running, ended = set[int](), set[int]()
    while not (told.is_set() or accepts(place.paths.engine_socket)):
        try:
            now = set((await keeping.keeper.status()).get("engines", ()))
        except ComposerError:
            return True  # the keeper is gone: its successor starts an engine
        ended |= running - now
        running = now - {0}
        if len(ended) >= _TRIES and place.take():
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _size(place: Place) -> int:
    try:
        return place.paths.engine_log.stat().st_size
    except OSError:
        return 0


def _last_words(place: Place, since: int) -> str:
    try:
        with place.paths.engine_log.open("rb") as file:
            file.seek(since)
            lines = file.read(1 << 20).decode(errors="replace").split("\n")
    except OSError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ends as it is started")
