"""The engine's side of the keeper: one link that survives the keeper's death.

Everything that must outlive a process is put into the store of descriptors here; keeper, engine and data plane hold it. When
the keeper dies, the engine starts another, hands it everything again and lets it watch the containers that are alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from composer.edition import KEEPER_PARTS, PACKAGE, checksum
from composer.errors import ContainerError, EngineError, HostError, KeeperLostError
from composer.keeper import launch
from composer.keeper.client import Keeper
from composer.keeper.runs import Child, Exit, Run, Started
from composer.keeper.steps import Step
from composer.keeper.store import Held

log = logging.getLogger("composer.engine")

T = TypeVar("T")

_START_SECONDS = 60.0
_SPAWN_AGAIN_SECONDS = 1.0


class Keeping:
    """The keeper as the rest of the engine uses it."""

    def __init__(self, socket: Path, spawn: Callable[[], None]) -> None:
        """`spawn` starts a keeper that is told not to start an engine; `socket` is where it will listen."""
        self._socket = socket
        self._spawn = spawn
        self._keeper: Keeper | None = None
        self._output_of: Callable[[str], tuple[str, str]] = lambda _container: ("", "")
        self._former: Keeper | None = None
        """The keeper that died, until there is another: what it held and watched is still there."""
        self._restarting: asyncio.Task[None] | None = None
        self._stopping = False
        self.on_exit: Callable[[Exit], None] = lambda _exit: None

    @property
    def keeper(self) -> Keeper:
        """The live keeper. Raises EngineError while there is none."""
        if self._keeper is None:
            raise EngineError("the keeper is being started again", hint="try again in a moment")
        return self._keeper

    @property
    def children(self) -> Mapping[str, Child]:
        """The containers that run, by id."""
        known = self._former or self._keeper
        return known.children if known is not None else {}

    @property
    def store(self) -> Mapping[str, Held]:
        """What is held, by name."""
        known = self._former or self._keeper
        return known.store if known is not None else {}

    async def connect(self, output_of: Callable[[str], tuple[str, str]]) -> None:
        """Connect to the running keeper; `output_of` tells every later one where a container's log and FIFOs are."""
        self._output_of = output_of
        await self._connect()
        if self.keeper.code not in ("", checksum(PACKAGE, KEEPER_PARTS)):
            await self._upgrade(self.keeper)

    async def run(self, request: Run) -> Started:
        """Start a process; see `Keeper.run`."""
        return await (await self.ready()).run(request)

    async def ready(self) -> Keeper:
        """The keeper, after waiting until a new one has everything if the old one has just died.

        Raises HostError where none comes up; whoever asks next has it tried again.
        """
        if self._former is not None and self._restarting is not None and self._restarting.done():
            self._begin_restart(self._former)
        while self._restarting is not None and not self._restarting.done():
            await asyncio.shield(self._restarting)
        return self.keeper

    async def put(self, name: str, meta: Mapping[str, Any], fds: Sequence[int]) -> None:
        """Hold `fds` under `name`; they stay the caller's too."""
        await self.repeated(lambda keeper: keeper.put(name, dict(meta), fds))

    async def drop(self, name: str) -> None:
        """Let go of what is held under `name`; nothing there is fine."""

        async def drop(keeper: Keeper) -> None:
            if name in keeper.store or keeper.is_retired:
                await keeper.drop(name)

        await self.repeated(drop)

    async def repeated(self, call: Callable[[Keeper], Awaitable[T]]) -> T:
        """The result of a call that may be made twice: if the keeper dies under it, its successor gets it too."""
        try:
            return await call(await self.ready())
        except KeeperLostError:
            return await call(await self.ready())

    def held(self, name: str) -> Held | None:
        """What is held under `name`."""
        return self.store.get(name)

    def names(self, prefix: str) -> list[str]:
        """The names that begin with `prefix`."""
        return [name for name in self.store if name.startswith(prefix)]

    async def retire(self, successor: Sequence[str], on_lost: Callable[[], None]) -> None:
        """Leave the keeper to the engine that this command starts; `on_lost` if it dies nevertheless."""
        keeper = await self.ready()
        self._stopping = True
        keeper.on_lost = on_lost
        await keeper.retire(successor)

    async def stop(self) -> None:
        """End the keeper and all it started; containers must be gone."""
        self._stopping = True
        if self._keeper is not None:
            await self._keeper.stop()

    async def _connect(self) -> None:
        keeper = await self._reach()
        keeper.on_exit = lambda ended: self.on_exit(ended)
        keeper.on_lost = self._lost
        self._keeper = keeper

    async def _upgrade(self, keeper: Keeper) -> None:
        """Have the keeper become one of our code; it goes on as it is where that cannot be."""
        log.info("the keeper is of other code; upgrading it")
        try:
            await keeper.upgrade(launch.command("composer.keeper"))
        except KeeperLostError:
            await self.ready()
        except ContainerError as error:
            log.warning("the keeper stays as it is: %s", error.message)

    async def _reach(self) -> Keeper:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        again = begun + _SPAWN_AGAIN_SECONDS
        while True:
            try:
                keeper = await Keeper.connect(self._socket)
                if not keeper.is_lost:
                    return keeper
            except EngineError as error:
                if loop.time() > begun + _START_SECONDS:
                    raise HostError(error.message, hint="`keeper.log` beside the socket may say why") from error
            if (
                self._former is not None and loop.time() > again
            ):  # the one we started died at once; a second is harmless
                self._spawn()
                again = loop.time() + _SPAWN_AGAIN_SECONDS
            await asyncio.sleep(0.005)

    def _lost(self) -> None:
        if self._stopping or self._keeper is None:
            return
        log.warning("the keeper is gone; starting another")
        self._former, self._keeper = self._keeper, None
        self._begin_restart(self._former)

    def _begin_restart(self, former: Keeper) -> None:
        self._restarting = asyncio.create_task(self._restart(former))
        self._restarting.add_done_callback(_note_failure)

    async def _restart(self, former: Keeper) -> None:
        self._spawn()
        await self._connect()
        self._former = None
        # If this one dies too, the next takes what it has got by then, which is everything.
        with contextlib.suppress(KeeperLostError):
            await self.keeper.succeed(former, self._output_of)


def _note_failure(restarting: asyncio.Task[None]) -> None:
    if not restarting.cancelled() and (error := restarting.exception()) is not None:
        log.error("no keeper comes up: %s", error)


class Jobs:
    """Short work in the keeper's children, as `network.needs` asks for it."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping

    async def run(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """Perform `steps` in a child of its own and return the descriptors it reported, which are the caller's.

        If the keeper dies over it, its successor has it done: what changes a namespace that is there may be done twice. What
        makes a new one is the caller's to begin anew.
        """
        job = f"job-{secrets.token_hex(6)}"
        request = Run(id=job, steps=tuple(steps), clone=tuple(clone), fds=dict(fds or {}), journal=False)
        if clone:
            started = await self._keeping.run(request)
        else:
            started = await self._keeping.repeated(lambda keeper: keeper.run(request))
        os.close(started.pidfd)
        return dict(started.reported)


class Shelf:
    """The keeper's store as `network.needs` uses it; it is there again after the keeper's death."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping

    @property
    def store(self) -> Mapping[str, Held]:
        """What is held now, by name."""
        return self._keeping.store

    async def put(self, name: str, meta: Mapping[str, Any], fds: Sequence[int]) -> None:
        """Hold duplicates of these, in place of what had the name."""
        await self._keeping.put(name, meta, fds)

    async def drop(self, name: str) -> None:
        """Let go of what has the name; nothing there is fine."""
        await self._keeping.drop(name)
