"""The composition root: the only place that chooses the real drivers and hands them to the engine."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from composer import reserve
from composer.clock import SystemClock
from composer.engine.building.uplink import Uplink
from composer.engine.bus import Bus
from composer.engine.confinement import Confinement
from composer.engine.containers import Containers
from composer.engine.keeping import Jobs, Keeping, Shelf
from composer.engine.later import Later
from composer.engine.logs import Logs
from composer.engine.loop import Loop
from composer.engine.networking import Networking
from composer.engine.pictures import Pictures
from composer.engine.processes import Processes
from composer.engine.recovery import output_of, recover
from composer.engine.requests import Requests
from composer.engine.rooms import Rooms
from composer.engine.starting import Starting
from composer.engine.store import Store
from composer.errors import ComposerError, StateError
from composer.image.store import Store as Images
from composer.keeper import launch
from composer.network import netlink
from composer.network.driver import Networks
from composer.network.spec import Facts
from composer.paths import Paths
from composer.runtime.cgroups import open_cgroups
from composer.runtime.facts import probe
from composer.volume.volumes import Volumes

if TYPE_CHECKING:
    from composer.engine.watching.watching import Watching
    from composer.server.workshop import Workshop

log = logging.getLogger("composer.server")

_THREADS = 64
"""At most. Some wait for the image store to be free (prune, remove) while others work so that it becomes so (build, pull)."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that the engine process owns."""

    rooms: Rooms
    loop: Loop
    logs: Logs
    requests: Requests
    workshop: Later[Workshop]
    uplink: Uplink

    async def recover(self) -> None:
        """Take up what is there; afterwards requests may come."""
        await recover(self.rooms, self.loop)
        await self.uplink.clear()
        built = (self.rooms.paths.build / "steps").is_dir()
        await asyncio.to_thread(self.workshop().builder.sweep if built else self.rooms.images.snapshots.unsettled)
        if self.rooms.paths.watch_ledger.exists():
            await self.requests.watches().resume()
        self.requests.restarts.recover()

    def busy(self) -> bool:
        """Whether any container runs."""
        return self.requests.busy()

    async def retire(self) -> None:
        """Let go of records and of what is watched, for another engine; who is attached stays so."""
        await self._close_what_was_made()
        self.loop.retire()
        background = list(self.rooms.background)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)  # what it changes is another engine's in a moment
        self.rooms.store.close()

    async def _close_what_was_made(self) -> None:
        await self.requests.restarts.close()
        if self.requests.watches.made is not None:
            await self.requests.watches.made.close()
        if self.workshop.made is not None:
            await self.workshop.made.builder.close()
        self.uplink.close()

    async def close(self, *, everything: bool) -> bool:
        """Let go; with `everything` nothing of this engine stays in the kernel, and the keeper ends.

        Whether that is so: what was under way when that was decided may have started a container, which goes on then.
        """
        await self._close_what_was_made()
        if everything:
            await self.loop.started()
            everything = not self.busy()
        self.loop.close()
        self.logs.close()
        if everything:
            try:
                await self.rooms.networks.dismantle()
                self.rooms.cgroups.remove_parent()
                await self.rooms.keeping.stop()
            except ComposerError as error:
                log.error("cannot leave cleanly: %s", error.message)
        self.rooms.store.close()
        return everything


async def build(paths: Paths) -> Engine:
    """The engine on these directories, connected to its keeper.

    Raises:
        StateError: the records are damaged or newer than we are.
        HostError: no keeper answers.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "engine"))
    paths.data.mkdir(mode=0o711, parents=True, exist_ok=True)
    for place in (paths.rootfs, paths.files):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = _records(paths)
    keeping = Keeping(paths.keeper_socket, lambda: spawn_keeper(paths))
    facts = probe(paths.data)
    driver = Networks(Jobs(keeping), Shelf(keeping), _network_facts(paths, store.engine_id, rootless=facts.rootless))
    rooms = Rooms(
        paths=paths,
        clock=SystemClock(),
        store=store,
        bus=Bus(),
        keeping=keeping,
        images=Images(paths),
        volumes=Volumes(paths.volumes),
        networks=Networking(store, driver),
        cgroups=open_cgroups(store.engine_id, facts),
        facts=facts,
    )
    rooms.background.append(asyncio.create_task(asyncio.to_thread(netlink.load)))
    confinement = Confinement(rooms)
    containers = Containers(rooms)
    processes = Processes(rooms, confinement)
    loop = Loop(rooms, containers, Starting(rooms, confinement), processes, confinement)
    logs = Logs(rooms)

    await keeping.connect(lambda container: output_of(rooms, container))
    keeping.on_exit = loop.exited
    uplink = Uplink(rooms)
    workshop = Later(partial(_workshop, rooms, confinement, uplink))
    requests = Requests(
        rooms,
        containers,
        loop,
        processes,
        logs,
        Pictures(rooms.images, store),
        lambda: workshop().transfers,
        lambda: workshop().making,
        lambda: workshop().builder.housekeeping,
    )
    requests.watches = Later(partial(_watching, rooms, confinement, processes, containers, requests))
    return Engine(rooms, loop, logs, requests, workshop, uplink)


def _records(paths: Paths) -> Store:
    """The engine's records; on a full disk with what was put by. Raises StateError."""
    try:
        store = Store(paths.database)
    except StateError:
        if not reserve.give_up(paths.data):
            raise
        store = Store(paths.database)
    reserve.put_by(paths.data)
    return store


def _workshop(rooms: Rooms, confinement: Confinement, uplink: Uplink) -> Workshop:
    from composer.server.workshop import open_workshop

    return open_workshop(rooms, confinement, uplink)


def _watching(
    rooms: Rooms, confinement: Confinement, processes: Processes, containers: Containers, requests: Requests
) -> Watching:
    from composer.engine.watching.tools import Tools
    from composer.engine.watching.watching import Watching
    from composer.watch.ledger import Ledger

    return Watching(
        Tools(
            rooms,
            confinement,
            processes,
            Ledger(rooms.paths.watch_ledger),
            requests.up,
            containers.signal,
            requests.images.rebuild,
            requests.images.prune_replaced,
        )
    )


def spawn_keeper(paths: Paths) -> None:
    """Start a keeper beside this engine, in its namespaces: the former one died."""
    with paths.keeper_log.open("ab") as keeper_log:
        subprocess.Popen(
            launch.command("composer.keeper", "--engine-lives"),
            stdin=subprocess.DEVNULL,
            stdout=keeper_log,
            stderr=keeper_log,
            start_new_session=True,
            cwd="/",
        )


def _network_facts(paths: Paths, engine_id: str, *, rootless: bool) -> Facts:
    return Facts(engine_id=engine_id, engine_pid=os.getpid(), run=str(paths.run), privileged=not rootless)
