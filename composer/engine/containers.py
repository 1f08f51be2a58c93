"""Containers as the executor's operations make, stop and remove them; `starting` is the start, `loop` what follows exits.

The record is written before the effect and removed after it, so a crash anywhere leaves a record that tells what may
exist, and the same call again finishes or undoes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace

from composer.api.messages import ContainerEvent
from composer.engine.plan import CreateContainer, RemoveContainer, StopContainer
from composer.engine.records import ContainerRecord, VolumeRecord
from composer.engine.rooms import Rooms
from composer.engine.world import ContainerConfig, DesiredContainer, Health, State
from composer.errors import ContainerError
from composer.image.disk import boot_id
from composer.image.removal import delete_tree, discard
from composer.keeper.logs import LIMIT
from composer.paths import Paths
from composer.project.quantities import parse_limit
from composer.runtime import signals
from composer.unbroken import unbroken, whole

log = logging.getLogger("composer.engine")

_DEAD_WITHIN = 10.0
"""Seconds that a process may take to disappear after SIGKILL before we say that the kernel holds it."""


class Containers:
    """Makes, stops and removes containers; every method may be called again."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.on_removed: Callable[[str], None] = lambda _: None
        """Told of each container that is no more."""

    async def create(self, operation: CreateContainer) -> ContainerRecord:
        """Record a container with its addresses, volumes and directories; an existing one of this hash is success.

        One that it replaces gives its name and its anonymous volumes away and goes on under a name of its own.

        Raises:
            ContainerError: the name belongs to somebody else.
        """
        desired = operation.container
        project = desired.config.labels.get("com.docker.compose.project", "")
        found = self._rooms.store.container_named(desired.name)
        if found is not None and found.id != operation.replaces:
            if found.project == project and found.config_hash == desired.config_hash:
                return found
            raise ContainerError(
                f"cannot create `{desired.name}`: container `{found.id[:12]}` of project `{found.project}` has this name",
                hint=f"remove it with `compose -p {found.project} down`, or change `container_name`",
            )
        replaced = self._rooms.store.containers.get(operation.replaces)
        record = ContainerRecord(
            id=secrets.token_hex(32),
            name=desired.name,
            project=project,
            service=desired.service,
            number=desired.number,
            config=desired.config,
            config_hash=desired.config_hash,
            one_off=desired.one_off,
            needs=desired.needs,
            created=self._rooms.clock.now(),
        )
        record = replace(
            record,
            anonymous=self._anonymous(desired, record, replaced),
            endpoints=self._rooms.networks.lease(record),
        )
        for target, name in record.anonymous.items():
            if replaced is None or replaced.anonymous.get(target) != name:
                await unbroken(self._rooms.volumes.create, name)
        make_directories(self._rooms.paths, record)
        if replaced is not None and replaced.name == record.name:
            # Two records never share a name. A crash between these two leaves the old one under its new name, alone: it
            # is replaced again, and its anonymous volumes are still its own.
            self._rooms.store.containers.put(replaced.id, replace(replaced, name=f"{replaced.id[:12]}_{record.name}"))
        self._rooms.store.containers.put(record.id, record)
        self._rooms.bus.publish(record.project, event(record, "create", self._rooms.clock.now()))
        return record

    async def stop(self, operation: StopContainer) -> None:
        """Stop signal, grace, SIGKILL; returns when the container has exited and that is recorded.

        Raises:
            ContainerError: the kernel does not let go of it (a process in uninterruptible sleep).
        """
        async with self._rooms.lock_of(operation.id):  # a start under way would take back what is done meanwhile
            record = self._rooms.store.containers.get(operation.id)
        if record is None:
            return
        restarting = boot_id() if operation.restart else ""
        if record.wanted or record.restarting != restarting:
            record = replace(record, wanted=False, restarting=restarting)
            self._rooms.store.containers.put(record.id, record)
        if record.state is State.RESTARTING:
            self._rooms.store.containers.put(record.id, replace(record, state=State.EXITED))
            self._rooms.bus.changed()
            return
        if record.state is not State.RUNNING:
            return
        grace = record.config.stop_grace_period if operation.timeout is None else operation.timeout
        self._rooms.bus.publish(record.project, event(record, "stop", self._rooms.clock.now()))
        if grace != 0:
            self.signal(record.id, record.config.stop_signal)
            # A negative grace waits without end, as `docker stop --timeout -1` does.
            if await self._gone(record.id, None if grace < 0 else grace):
                return
        self.signal(record.id, "SIGKILL")
        if not await self._gone(record.id, _DEAD_WITHIN):
            raise ContainerError(
                f"cannot stop `{record.name}`: its process {record.pid} does not end even after SIGKILL",
                hint=f"it waits inside the kernel; `cat /proc/{record.pid}/stack` may say for what",
            )

    def signal(self, container: str, name: str) -> None:
        """Send a signal to a container's first process; one that has ended is fine. Raises ContainerError: no signal."""
        number = signals.number(name)
        child = self._rooms.keeping.children.get(container)
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(child.pidfd, number)

    async def remove(self, operation: RemoveContainer) -> None:
        """Remove a container that does not run, with its writable layer and, if asked, its anonymous volumes.

        Raises:
            ContainerError: it runs, and is not to be stopped, or the kernel does not let go of it.
        """
        record = self._rooms.store.containers.get(operation.id)
        if record is not None and record.state is State.RUNNING and record.id not in self._rooms.keeping.children:
            # Gone, and its end is just being recorded: by an engine that has come up a moment ago.
            await self._gone(record.id, _DEAD_WITHIN)
        while not await self._remove_stopped(operation):
            await self.stop(StopContainer(operation.id, operation.name, operation.service, operation.timeout))

    async def _remove_stopped(self, operation: RemoveContainer) -> bool:
        """Remove the container unless it runs and is to be stopped before; whether it is gone."""
        async with self._rooms.lock_of(operation.id):
            record = self._rooms.store.containers.get(operation.id)
            if record is not None and record.state is State.RUNNING:
                if operation.stop:
                    return False
                raise ContainerError(f"cannot remove `{record.name}`: it runs", hint="stop it first")
            if record is not None:
                # Whoever is cancelled holds the lock to the end: half a removal would go on under who starts it next.
                await whole(self._remove(record, volumes=operation.volumes))
            return True

    async def _remove(self, record: ContainerRecord, *, volumes: bool) -> None:
        # It does not run: whatever is in its group is a remnant of a start that nobody saw the end of.
        await asyncio.to_thread(self._rooms.cgroups.kill, record.id)
        await asyncio.to_thread(self._rooms.cgroups.remove, record.id)
        await asyncio.to_thread(discard, self._rooms.paths.container(record.id))
        await asyncio.to_thread(delete_tree, self._rooms.paths.fifos(record.id))
        if volumes:
            for name in self._own_volumes(record):
                await asyncio.to_thread(self._rooms.volumes.remove, name)
                self._rooms.store.volumes.remove(name)
        if record.one_off:
            self._rooms.networks.release(record)
        self._rooms.store.containers.remove(record.id)
        self.on_removed(record.id)
        self._rooms.bus.publish(record.project, event(record, "destroy", self._rooms.clock.now()))

    def _anonymous(
        self, desired: DesiredContainer, record: ContainerRecord, replaced: ContainerRecord | None
    ) -> dict[str, str]:
        """A volume for each anonymous mount: the replaced container's at the same target, or a new one, recorded."""
        kept = dict(replaced.anonymous) if replaced is not None else {}
        names = {}
        for mount in desired.config.mounts:
            if mount.kind == "volume" and not mount.source and not mount.shared:
                name = kept.get(mount.target) or secrets.token_hex(32)
                names[mount.target] = name
                if self._rooms.store.volumes.get(name) is None:
                    self._rooms.store.volumes.put(name, VolumeRecord(name, record.project, anonymous=True))
        return names

    def _own_volumes(self, record: ContainerRecord) -> list[str]:
        """Its anonymous volumes that no other container has taken over."""
        others = {
            name for other in self._rooms.store.containers if other.id != record.id for name in other.anonymous.values()
        }
        return [name for name in record.anonymous.values() if name not in others]

    async def _gone(self, container: str, timeout: float | None) -> bool:
        def ended() -> bool:
            record = self._rooms.store.containers.get(container)
            return record is None or record.state is not State.RUNNING

        return await self._rooms.bus.until(ended, timeout)


def make_directories(paths: Paths, record: ContainerRecord) -> None:
    """Where a container's files are; what is there stays. Raises ContainerError for a log of no size."""
    base = paths.container(record.id)
    for name in ("upper", "work", "etc", "log"):
        (base / name).mkdir(parents=True, exist_ok=True)
    base.chmod(0o700)
    if limit := log_limit(record.config.log_options):
        (base / "log" / LIMIT).write_text(str(limit))


def is_logged(config: ContainerConfig) -> bool:
    """Whether a container's output is kept; a terminal's is, since it is how the terminal is seen at all."""
    return config.log_driver != "none" or config.tty


def log_limit(options: Mapping[str, str]) -> int:
    """The bytes of output to keep by `max-size` and `max-file`, 0 for all.

    Raises:
        ContainerError: they are no sizes or numbers.
    """
    try:
        size = parse_limit(options.get("max-size", "-1"))
        files = int(options.get("max-file", "1"))
    except ValueError as error:
        wrong = f"max-size {options.get('max-size', '')}, max-file {options.get('max-file', '')}".strip()
        hint = "write them like `max-size: 10m` and `max-file: 3`"
        raise ContainerError(f"cannot limit the log: {wrong}", hint=hint) from error
    return max(size, 0) * max(files, 1)


def event(record: ContainerRecord, action: str, time: float) -> ContainerEvent:
    """What happened to a container, for those who listen to its project."""
    return ContainerEvent(
        container=record.id,
        name=record.name,
        service=record.service,
        action=action,
        time=time,
        exit_code=record.exit_code,
        health="" if record.health is Health.NONE else record.health.value,
        one_off=record.one_off,
    )
