"""The real drivers: what the executor's operations do on this machine, and what is there to observe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from composer.api.messages import Event
from composer.engine.containers import Containers
from composer.engine.loop import Loop
from composer.engine.pictures import images_in_use
from composer.engine.plan import (
    AwaitCondition,
    BuildImage,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    PullImage,
    PushImage,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.storage import Storage
from composer.engine.world import (
    Condition,
    Health,
    Observed,
    ObservedContainer,
    ObservedNetwork,
    ObservedVolume,
    State,
)
from composer.errors import ContainerError, KeeperLostError
from composer.image.remove import remove
from composer.runtime import signals
from composer.unbroken import unbroken

_LAST_LINES = 10
_STEADY = 0.5
"""Seconds that what has no healthcheck runs before `--wait` believes it, as with Docker Compose."""

_CRASHES = 3
"""Restarts in a row by a policy after which those who wait for a container are told of them."""

LastLines = Callable[[ContainerRecord, int], list[str]]
Transfer = Callable[[PullImage | BuildImage | PushImage], Awaitable[object]]


class Machine:
    """Implements `drivers.Drivers` for one project."""

    def __init__(
        self,
        project: str,
        rooms: Rooms,
        containers: Containers,
        loop: Loop,
        last_lines: LastLines,
        transfer: Transfer,
        emit: Callable[[Event], None],
    ) -> None:
        self._emit = emit
        self._transfer = transfer
        self._project = project
        self._rooms = rooms
        self._containers = containers
        self._loop = loop
        self._last_lines = last_lines
        self._storage = Storage(rooms)

    async def observe(self, project: str) -> Observed:
        """What is there for `project`; networks and volumes of others too, since files may refer to them."""
        return observe(self._rooms, project)

    async def pull_image(self, operation: PullImage) -> None:
        await self._transfer(operation)

    async def build_image(self, operation: BuildImage) -> None:
        await self._transfer(operation)

    async def push_image(self, operation: PushImage) -> None:
        await self._transfer(operation)

    async def create_network(self, operation: CreateNetwork) -> None:
        try:
            await self._rooms.networks.create(operation, self._project)
        except KeeperLostError:  # nothing of it is left
            await self._rooms.keeping.ready()
            await self._rooms.networks.create(operation, self._project)
        note = "" if operation.network.internal else self._rooms.networks.obstacle()
        if note and note not in self._rooms.notes:
            self._rooms.notes.append(note)

    async def remove_network(self, operation: RemoveNetwork) -> None:
        try:
            await self._rooms.networks.remove(operation.name)
        except KeeperLostError:
            await self._rooms.keeping.ready()
            await self._rooms.networks.remove(operation.name)

    async def create_volume(self, operation: CreateVolume) -> None:
        await self._storage.create(operation.volume, self._project)

    async def remove_volume(self, operation: RemoveVolume) -> None:
        await self._storage.remove(operation.name)

    async def remove_image(self, operation: RemoveImage) -> None:
        images, users = self._rooms.images, partial(images_in_use, self._rooms.store)
        if await asyncio.to_thread(images.entry, operation.reference) is not None:
            await unbroken(remove, images, operation.reference, users)

    async def create_container(self, operation: CreateContainer) -> None:
        await self._containers.create(operation)

    async def start_container(self, operation: StartContainer) -> None:
        await self._loop.start(operation.name)

    async def stop_container(self, operation: StopContainer) -> None:
        await self._containers.stop(operation)

    async def remove_container(self, operation: RemoveContainer) -> None:
        await self._containers.remove(operation)

    async def await_condition(self, operation: AwaitCondition) -> None:
        told: set[str] = set()

        def settled() -> bool:
            self._tell_of_crashes(operation.containers, told)
            return all(self._verdict(name, operation.condition) for name in operation.containers)

        begun = self._rooms.clock.monotonic()

        def left() -> float | None:
            spent = self._rooms.clock.monotonic() - begun
            return None if operation.timeout is None else max(0.0, operation.timeout - spent)

        while await self._rooms.bus.until(settled, left()):
            early = self._early(operation) if operation.condition is Condition.STARTED else 0.0
            if early <= 0 or not await self._rooms.bus.until(lambda: not settled(), early):
                return
        else:
            raise ContainerError(
                f"`{operation.service}` is not {_WORDS[operation.condition]} after {operation.timeout:g} s",
                hint=f"`compose logs {operation.service}` shows what it says",
            )

    def _tell_of_crashes(self, names: Iterable[str], told: set[str]) -> None:
        """Warn of containers that end and are restarted again and again: as in Docker Compose, who waits goes on waiting."""
        for record in filter(None, map(self._rooms.store.container_named, names)):
            if record.state is State.RESTARTING and record.restarts >= _CRASHES and record.id not in told:
                told.add(record.id)
                times = f"it has exited ({record.exit_code}) and been restarted {record.restarts} times"
                words = f"`{record.name}` does not stay up: {times}, and is waited for all the same"
                self._emit(Event("project", self._project, "warning", detail=words, hint=self._hint(record)))

    def _early(self, operation: AwaitCondition) -> float:
        """Seconds until the youngest of these containers has run for so long that its program does more than fail."""
        records = map(self._rooms.store.container_named, operation.containers)
        started = [record.started for record in records if record is not None and record.state is State.RUNNING]
        return max(started, default=0.0) + _STEADY - self._rooms.clock.now()

    def _verdict(self, name: str, condition: Condition) -> bool:
        """Whether a container satisfies the condition; False for not yet. Raises ContainerError for never."""
        record = self._rooms.store.container_named(name)
        if record is None:
            raise ContainerError(f"`{name}` is gone")
        if record.state is State.RESTARTING:
            return False
        if record.state is not State.RUNNING:
            if condition is Condition.COMPLETED and record.state is State.CREATED and not record.error:
                return False
            if record.state is State.EXITED and record.exit_code == 0 and condition is not Condition.HEALTHY:
                return True
            raise self._dead(record, condition)
        match condition:
            case Condition.STARTED:
                return True
            case Condition.COMPLETED:
                return False
            case Condition.HEALTHY:
                return self._healthy(record)

    def _healthy(self, record: ContainerRecord) -> bool:
        if record.config.health is None:
            raise ContainerError(
                f"`{record.name}` can never be healthy: it has no healthcheck",
                hint=f"add `healthcheck:` to service `{record.service}`, or wait for `service_started`",
            )
        if record.health is Health.UNHEALTHY:
            test, probe = record.config.health, self._loop.probes.get(record.id)
            said = f": {probe.output}" if probe and probe.output else ""
            code = f" (exit status {probe.status})" if probe and probe.status > 0 else ""
            raise ContainerError(
                f"`{record.name}` is unhealthy after {test.retries} probes{code}{said}",
                hint=self._hint(record),
            )
        return record.health is Health.HEALTHY

    def _dead(self, record: ContainerRecord, condition: Condition) -> ContainerError:
        if record.error:
            return ContainerError(f"`{record.name}` did not start: {record.error}")
        meaning = signals.meaning(record.exit_code, out_of_memory=record.oom_killed)
        if condition is Condition.COMPLETED:
            why = meaning or f"exited with {record.exit_code}"
            return ContainerError(f"`{record.name}` did not complete successfully: {why}", hint=self._hint(record))
        when = "right after its start" if condition is Condition.STARTED else f"before it was {_WORDS[condition]}"
        return ContainerError(
            f"`{record.name}` exited ({record.exit_code}) {when}" + (f": {meaning}" if meaning else ""),
            hint=self._hint(record),
        )

    def _hint(self, record: ContainerRecord) -> str:
        lines = self._last_lines(record, _LAST_LINES)
        if not lines:
            return f"it has written nothing; look at its `command:` and `healthcheck:` in service `{record.service}`"
        return "its last lines:\n" + "\n".join(f"  {line}" for line in lines)


_WORDS = {Condition.STARTED: "running", Condition.HEALTHY: "healthy", Condition.COMPLETED: "complete"}


def observe(rooms: Rooms, project: str) -> Observed:
    """What is there for `project`, from the records and the keeper, unjudged."""
    running = rooms.keeping.children
    containers = []
    for record in rooms.store.containers_of(project):
        state = record.state
        if state is State.RUNNING and record.id not in running:
            state = State.EXITED  # its exit is on its way to us
        containers.append(
            ObservedContainer(
                id=record.id,
                name=record.name,
                service=record.service,
                number=record.number,
                config=record.config,
                config_hash=record.config_hash,
                state=state,
                exit_code=record.exit_code,
                health=record.health,
                one_off=record.one_off,
                networks={name: endpoint.network for name, endpoint in record.endpoints.items()},
                joined=record.joined,
                needs=record.needs,
                generation=record.generation,
            )
        )
    held = {name for record in rooms.store.containers for name in record.anonymous.values()}
    return Observed(
        networks={
            record.name: ObservedNetwork(
                id=record.id,
                name=record.name,
                alive=rooms.networks.alive(record.id),
                internal=record.internal,
                subnet=record.subnet,
                wanted_subnet=record.wanted_subnet,
                wanted_gateway=record.wanted_gateway,
                wanted_range=record.ip_range,
                wanted_reserved=record.reserved,
                project=record.project,
            )
            for record in rooms.store.networks
        },
        volumes={
            record.name: ObservedVolume(
                record.name, record.project, record.anonymous and record.name in held, record.driver
            )
            for record in rooms.store.volumes
        },
        containers=tuple(containers),
    )
