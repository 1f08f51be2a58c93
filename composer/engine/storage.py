"""Where a container's mounts come from: volumes made and removed, bind sources checked, new volumes marked for seeding."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from composer.engine.records import ContainerRecord, VolumeRecord
from composer.engine.rooms import Rooms
from composer.engine.world import DesiredVolume, MountPoint
from composer.errors import ContainerError
from composer.unbroken import whole
from composer.volume.bind import prepare_bind


@dataclass(frozen=True, slots=True)
class Sources:
    """Host paths by mount target, and the targets whose source is a volume that the image may fill."""

    paths: dict[str, str]
    seeds: tuple[str, ...]
    seeded: tuple[str, ...]
    """Names of the volumes behind `seeds`."""


class Storage:
    """Prepares the sources of mounts; every method may be called again."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def create(self, volume: DesiredVolume, project: str) -> None:
        """Make a volume; one that is there is left as it is."""
        await whole(
            self._made(VolumeRecord(volume.name, project, volume.key, labels=volume.labels, driver=volume.driver))
        )

    async def remove(self, name: str) -> None:
        """Remove a volume with its data; one that is gone is fine. Raises ContainerError while a container mounts it."""
        await whole(self._remove(name))

    async def prepare(self, record: ContainerRecord) -> Sources:
        """The sources of every bind and volume of `record`.

        Raises:
            ContainerError: a bind's source is missing and may not be made, or a volume has no such subpath.
        """
        paths: dict[str, str] = {}
        seeds: dict[str, str] = {}
        for mount in record.config.mounts:
            if mount.kind == "bind":
                try:
                    found = await asyncio.to_thread(prepare_bind, mount.source, mount.create_host_path)
                except ContainerError as error:
                    error.attribute = ("volumes", mount.target)
                    raise
                paths[mount.target] = str(found)
            elif mount.kind == "volume":
                name = self._shared(record, mount) or mount.source or record.anonymous[mount.target]
                paths[mount.target] = str(await self._volume(record, mount, name))
                stored = self._rooms.store.volumes.get(name)
                if stored is not None and not stored.seeded and not mount.nocopy and not mount.subpath:
                    seeds[mount.target] = name
        return Sources(paths, tuple(seeds), tuple(seeds.values()))

    def mark_seeded(self, names: tuple[str, ...]) -> None:
        """The container has started: what the image had for these volumes is in them now."""
        for name in names:
            if (volume := self._rooms.store.volumes.get(name)) is not None:
                self._rooms.store.volumes.put(name, replace(volume, seeded=True))

    async def _made(self, record: VolumeRecord) -> None:
        async with self._rooms.turn_of(record.name):
            if self._rooms.store.volumes.get(record.name) is None:
                self._rooms.store.volumes.put(record.name, record)
            await asyncio.to_thread(self._rooms.volumes.create, record.name)

    async def _remove(self, name: str) -> None:
        async with self._rooms.turn_of(name):
            users = [
                record.name
                for record in self._rooms.store.containers
                if any(mount.source == name for mount in record.config.mounts if mount.kind == "volume")
            ]
            if users:
                raise ContainerError(
                    f"cannot remove volume `{name}`: {', '.join(f'`{user}`' for user in users)} mounts it"
                )
            if (volume := self._rooms.store.volumes.get(name)) is not None:
                # Should we die before the record goes, it is of a new volume.
                self._rooms.store.volumes.put(name, replace(volume, seeded=False))
            await asyncio.to_thread(self._rooms.volumes.remove, name)
            self._rooms.store.volumes.remove(name)

    def _shared(self, record: ContainerRecord, mount: MountPoint) -> str:
        """The anonymous volume that another service's container has at this place, "" for a mount of its own."""
        if not mount.shared:
            return ""
        for other in self._rooms.store.containers_of(record.project):
            if other.service == mount.shared and mount.target in other.anonymous:
                return other.anonymous[mount.target]
        raise ContainerError(
            f"cannot mount `{mount.target}` of `{mount.shared}`: it has no container",
            hint=f"`compose up {mount.shared}` makes it",
        )

    async def _volume(self, record: ContainerRecord, mount: MountPoint, name: str) -> Path:
        # A volume is made by the plan; one that is not on record was removed behind the container's back.
        await self._made(VolumeRecord(name, record.project, anonymous=not mount.source))
        path = Path(self._rooms.volumes.path(name))
        if not mount.subpath:
            return path
        inside = (path / mount.subpath).resolve()
        if not inside.is_relative_to(path.resolve()) or not inside.exists():
            raise ContainerError(
                f"cannot mount `{mount.target}`: volume `{name}` has no `{mount.subpath}`",
                hint="make the directory in the volume first, or leave `volume.subpath` out",
            )
        return inside
