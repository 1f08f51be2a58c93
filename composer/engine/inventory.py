"""What everything takes on the disk: `compose system df`.

Active is what a container uses or, for containers and their logs, what runs; the rest could be deleted. Looked up on the
disk when it is asked for: nobody keeps books that a crash could make wrong.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from composer.api.messages import DiskUsage
from composer.engine.rooms import Rooms
from composer.engine.world import State
from composer.image.prune import used_bytes

if TYPE_CHECKING:
    from composer.build.housekeeping import Housekeeping


async def disk_usage(rooms: Rooms, house: Housekeeping) -> tuple[DiskUsage, ...]:
    """One line each for images, containers, volumes, logs and the build cache."""
    containers = list(rooms.store.containers)
    running = {record.id for record in containers if record.state in (State.RUNNING, State.RESTARTING)}
    images = {record.config.image_id for record in containers}
    volumes = {name for record in containers for name in record.anonymous.values()}
    volumes |= {mount.source for record in containers for mount in record.config.mounts if mount.kind == "volume"}
    homes = {record.id: rooms.paths.container(record.id) for record in containers}
    return await asyncio.to_thread(
        lambda: (
            _images(rooms, images),
            _directories("Containers", {key: home / "upper" for key, home in homes.items()}, running),
            _volumes(rooms, volumes),
            _directories("Logs", {key: home / "log" for key, home in homes.items()}, running),
            _build_cache(house),
        )
    )


def _build_cache(house: Housekeeping) -> DiskUsage:
    """Active is what images need as well."""
    usage = house.usage()
    return DiskUsage("Build Cache", usage.steps + usage.mounts, usage.active, usage.size, usage.reclaimable)


def _images(rooms: Rooms, in_use: Collection[str]) -> DiskUsage:
    records = rooms.images.list()
    used = [record for record in records if record.id in in_use]
    total = used_bytes(records)
    ids = {record.id for record in records}
    return DiskUsage("Images", len(ids), len(ids & set(in_use)), total, total - used_bytes(used))


def _volumes(rooms: Rooms, in_use: Collection[str]) -> DiskUsage:
    sizes = {name: rooms.volumes.size(name) for name in rooms.volumes.list()}
    return _line("Local Volumes", sizes, in_use)


def _directories(kind: str, directories: dict[str, Path], running: Collection[str]) -> DiskUsage:
    return _line(kind, {key: _size(path) for key, path in directories.items()}, running)


def _line(kind: str, sizes: dict[str, int], active: Collection[str]) -> DiskUsage:
    idle = sum(size for key, size in sizes.items() if key not in active)
    return DiskUsage(kind, len(sizes), sum(key in active for key in sizes), sum(sizes.values()), idle)


def _size(directory: Path) -> int:
    """Bytes that the files below `directory` take; what vanishes meanwhile takes none."""
    total = 0
    for parent, _directories, files in os.walk(directory):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512  # noqa: PTH118 - a path for each file is slow
            except FileNotFoundError:
                continue
    return total
