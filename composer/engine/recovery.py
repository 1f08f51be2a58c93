"""After a death: what a new engine does with what an old one left, and an engine with a new keeper.

Truth is what the kernel says: a container runs if the keeper has it, or if a process with its pid and start time is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal

from composer.engine.containers import is_logged
from composer.engine.loop import Loop
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.world import State
from composer.errors import ComposerError
from composer.image.removal import delete_tree
from composer.kernel import process

log = logging.getLogger("composer.engine")

_DEAD_WITHIN = 5.0


async def recover(rooms: Rooms, loop: Loop) -> None:
    """Take up networks and containers, restart what should run and does not, and clear away what nobody owns."""
    await rooms.networks.adopt()
    await asyncio.to_thread(_sweep, rooms)
    # Exits that the journal kept were handed to the loop when we connected; they are told apart from what is lost.
    await asyncio.sleep(0)
    await _end_half_started(rooms)
    for record in rooms.store.containers:
        if record.state is State.RUNNING:
            await _take_up(rooms, loop, record)
        elif record.state is State.RESTARTING:
            loop.resume(record)
    await _drop_strangers(rooms)
    loop.recovered()


def output_of(rooms: Rooms, container: str) -> tuple[str, str]:
    """Where a container's output goes and comes by; nowhere for one whose output nobody keeps."""
    record = rooms.store.containers.get(container)
    if record is not None and not is_logged(record.config):
        return "", ""
    return str(rooms.paths.container(container) / "log"), str(rooms.paths.fifos(container))


async def _end_half_started(rooms: Rooms) -> None:
    """Kill what the old engine had started and not recorded yet: it lacks its names; whoever wants it starts it again."""
    children = rooms.keeping.children
    half = [
        container
        for container, child in children.items()
        if (record := rooms.store.containers.get(container)) is None or record.pid != child.pid
    ]
    for container in half:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(children[container].pidfd, signal.SIGKILL)
    deadline = rooms.clock.monotonic() + _DEAD_WITHIN
    while any(container in rooms.keeping.children for container in half) and rooms.clock.monotonic() < deadline:
        await rooms.clock.sleep(0.005)


async def _take_up(rooms: Rooms, loop: Loop, record: ContainerRecord) -> None:
    child = rooms.keeping.children.get(record.id)
    if child is not None and child.pid == record.pid:
        await _found(rooms, loop, record)
        return
    if loop.is_ending(record.id):
        return
    pidfd = _open(record)
    if pidfd < 0:
        await loop.lost(record)
        return
    try:
        await rooms.keeping.keeper.adopt(record.id, record.pid, record.start_time, pidfd, *output_of(rooms, record.id))
    finally:
        os.close(pidfd)
    await _found(rooms, loop, record)


async def _found(rooms: Rooms, loop: Loop, record: ContainerRecord) -> None:
    try:
        await rooms.networks.restore(record)
    except (ComposerError, OSError) as error:
        log.warning("%s lives, but not all of its network does: %s", record.name, error)
        rooms.notes.append(
            f"`{record.name}` lost its network when everything that held it died; `compose up` restarts it"
        )
    loop.found(record)


def _open(record: ContainerRecord) -> int:
    """A pidfd of the container's process, -1 if it is gone; the start time tells it from a successor with its pid."""
    try:
        pidfd = os.pidfd_open(record.pid)
    except (ProcessLookupError, ValueError, OSError):
        return -1
    with contextlib.suppress(OSError, ValueError):
        if process.start_time(record.pid) == record.start_time:
            return pidfd
    os.close(pidfd)
    return -1


def _sweep(rooms: Rooms) -> None:
    """Remove what interrupted work left on disk."""
    rooms.images.sweep()
    rooms.volumes.sweep()
    known = {record.id for record in rooms.store.containers}
    directory = rooms.paths.data / "containers"
    for path in directory.iterdir() if directory.is_dir() else ():
        if path.name not in known:
            delete_tree(path)


async def _drop_strangers(rooms: Rooms) -> None:
    """Let go of what is held for containers that do not run, and kill processes that no record knows."""
    running = {record.id for record in rooms.store.containers if record.state is State.RUNNING}
    for container in {name.split("/")[1] for name in rooms.keeping.names("port/")} - running:
        try:
            await rooms.networks.abandon(container)
        except ComposerError as error:
            log.warning("%s", error.message)
    for prefix in ("dns/", "pty/", "stdin/"):
        for name in rooms.keeping.names(prefix):
            if name.split("/")[1] not in running:
                await rooms.keeping.drop(name)
    for name in await asyncio.to_thread(rooms.cgroups.names):
        if name not in running:
            log.warning("clearing away the processes of %s, which is on no record", name[:12])
            try:
                await asyncio.to_thread(rooms.cgroups.kill, name)
                await asyncio.to_thread(rooms.cgroups.remove, name)
            except ComposerError as error:
                log.warning("%s", error.message)
