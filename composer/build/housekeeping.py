"""What builds leave on the disk for the next ones: how much it is, and letting go of it.

A step's snapshot stays as long as its record; one that an image needs, too, stays as long as the image. Cache mounts stay
until they are asked to go. By itself the cache shrinks only when it has grown beyond a tenth of the disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from composer.build.cache import Cache, Record
from composer.build.cachemounts import CacheMounts, Stored
from composer.build.files import Remotes
from composer.image.store import Store
from composer.oci.digest import Digest

_JUST_FETCHED = 60.0
"""Seconds for which what was fetched is left alone."""
_SHARE = 10
"""The cache may have one part in so many of the disk before it shrinks by itself."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the build cache takes; bytes."""

    steps: int
    mounts: int
    size: int
    """Of all, those of layers that images need as well included."""
    reclaimable: int
    """Of what would be freed if all of it went."""
    active: int
    """Layers that images need as well."""


class Housekeeping:
    """Looks after the cache; one for the whole engine. Its methods block."""

    def __init__(self, store: Store, cache: Cache, mounts: CacheMounts, remotes: Remotes, directory: Path) -> None:
        """`directory` lies on the disk whose size counts."""
        self._remotes = remotes
        self._store = store
        self._cache = cache
        self._mounts = mounts
        self._directory = directory

    def usage(self) -> Usage:
        """How much there is; walks through the cache mounts. Raises ImageError where an image is damaged."""
        needed = {str(chain) for chain in self._store.chains()}
        layers = {record.chain: record.size for record in self._cache.all() if record.diff_id}
        mounts = list(self._mounts.list())
        kept = sum(mount.size for mount in mounts) + self._remotes.size()
        free = sum(size for chain, size in layers.items() if chain not in needed)
        active = sum(chain in needed for chain in layers)
        return Usage(len(layers), len(mounts), sum(layers.values()) + kept, free + kept, active)

    def prune(self, *, mounts: bool = False, used_before: float | None = None) -> int:
        """Forget steps, downloads, and with `mounts` cache mounts, that were not of use since `used_before`; the bytes freed.

        Waits until no build runs. What images need stays with them.
        """
        with self._store.deleting():
            old = [record for record in self._cache.all() if used_before is None or record.used < used_before]
            self._cache.remove(record.key for record in old)
            # A build that is about to begin may have its context already.
            fetched = time.time() - _JUST_FETCHED
            freed = self._remotes.forget(fetched if used_before is None else min(used_before, fetched))
        freed += self._release(old)
        for mount in self._mounts.list() if mounts else ():
            if (used_before is None or mount.used < used_before) and not self._mounts.in_use(mount):
                freed += self._drop(mount)
        return freed

    def shrink(self) -> int:
        """Forget what was of no use for longest, as far as the cache is larger than it may be; the bytes freed."""
        disk = os.statvfs(self._directory)
        limit = disk.f_frsize * disk.f_blocks // _SHARE
        records = list(self._cache.all())
        excess, old = sum(record.size for record in records) - limit, []
        for record in records:
            if excess <= 0:
                break
            old.append(record)
            excess -= record.size
        self._cache.remove(record.key for record in old)
        return self._release(old) if old else 0

    def _release(self, old: Iterable[Record]) -> int:
        """Let the snapshots of forgotten records go; those that another record has stay."""
        kept = {record.chain for record in self._cache.all()}
        gone = {record.chain: record.size for record in old if record.diff_id and record.chain not in kept}
        needed = {str(chain) for chain in self._store.chains()}
        self._store.release([Digest.parse(chain) for chain in gone])
        return sum(size for chain, size in gone.items() if chain not in needed)

    def _drop(self, mount: Stored) -> int:
        size = mount.size
        self._mounts.remove(mount)
        return size
