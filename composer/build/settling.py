"""Layers that were just made: hashed, moved to their place among the snapshots, and put on record, while builds go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from composer.build.cache import Cache, Record
from composer.build.layers import NOTHING, Digests, Layer
from composer.build.perform import Room
from composer.errors import ComposerError, HostError
from composer.image.removal import delete_tree
from composer.image.snapshot import Snapshots
from composer.oci.config import chain_id

log = logging.getLogger("composer.build")


class Settling:
    """One for the whole engine."""

    def __init__(self, snapshots: Snapshots, cache: Cache) -> None:
        self._snapshots = snapshots
        self._cache = cache
        self.live: dict[str, Layer] = {}
        """Layers that are not on record yet, by key."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._leftovers: list[Path] = []

    def begin(self, layer: Layer, room: Room, record: Record) -> None:
        """Begin to find the digest of a layer that was made in `room`; `record` lacks nothing but that."""
        self.live[record.key] = layer
        self._begin(self._settle(layer, room, record))

    async def done(self) -> None:
        """Return when every layer that was made so far is on record, and all is gone that `clear` began to delete."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def clear(self) -> None:
        """Begin to delete layers that were there already; to be called while no build uses any.

        Thousands of files take a slow disk a while, and whoever built is not to wait for it.
        """
        gone, self._leftovers = self._leftovers, []
        if gone:
            self._begin(self._remove(gone))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove(self, gone: list[Path]) -> None:
        try:
            await asyncio.to_thread(remove, gone)
        except OSError as error:
            log.warning("cannot delete what a build left: %s", error)

    async def _settle(self, layer: Layer, room: Room, record: Record) -> None:
        try:
            digests = await self._digests(layer, room)
        except BaseException as error:
            layer.digests.set_exception(in_words(error, record.name))
            layer.digests.exception()  # told to whoever needs the digest, and to nobody else
            if not isinstance(error, ComposerError | OSError):
                raise
        else:
            layer.digests.set_result(digests)
            chain, diff_id = str(digests.chain or ""), str(digests.diff_id or "")
            below = layer.below.settled if layer.below else None
            record = replace(record, below=str(below.chain or "") if below else "")
            self._cache.put(replace(record, chain=chain, diff_id=diff_id, size=digests.size))
        finally:
            if self.live.get(record.key) is layer:
                del self.live[record.key]
            if layer.path is not None and layer.path.is_relative_to(room.directory):
                self._leftovers.append(room.directory)  # somebody may have mounted it
            else:
                await asyncio.to_thread(delete_tree, room.directory)

    async def _digests(self, layer: Layer, room: Room) -> Digests:
        if layer.path is None:
            return replace(await layer.below.digests if layer.below else NOTHING, diff_id=None, size=0)
        diff_id, size = await asyncio.to_thread(self._snapshots.measure, layer.path)
        below = await layer.below.digests if layer.below else NOTHING
        chain = chain_id(below.chain, diff_id)
        await layer.unheld()
        if self._snapshots.place(room.layer, chain, size):
            layer.path = self._snapshots.path(chain)
        return Digests(chain, diff_id, size)


def in_words(error: BaseException, name: str) -> BaseException:
    """The disk's refusal of what the step `name` made, as the user should see it; anything else as it is."""
    if isinstance(error, OSError):
        return HostError(
            f"cannot keep what `{name}` made: {(error.strerror or str(error)).lower()}",
            hint="free some space with `compose system prune`, or move the data directory with COMPOSER_DATA",
        )
    return error


def remove(directories: Iterable[Path]) -> None:
    """Delete directories with everything in them. Blocks."""
    for directory in directories:
        delete_tree(directory)
