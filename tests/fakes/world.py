"""A world of containers in memory that refuses what the real one could not do.

Its rules are those of the drivers' docstrings: everything is idempotent, but nothing starts that was not created, nothing
is removed that runs, no network goes while somebody is on it, no volume while a container holds it, and nobody waits for
what was never started. A container whose arguments are `exit` and a status ends with it as soon as it starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from composer.engine.building.builds import built_from
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
from composer.engine.world import (
    Condition,
    Health,
    Observed,
    ObservedContainer,
    ObservedNetwork,
    ObservedVolume,
    State,
)
from composer.errors import ContainerError


class ImpossibleError(AssertionError):
    """An operation that the real world would refuse: a plan that asks for it is wrong."""


@dataclass
class FakeWorld:
    """Implements `Drivers`; `log` holds what was asked for, in order."""

    project: str = "shop"
    unhealthy: frozenset[str] = frozenset()
    networks: dict[str, ObservedNetwork] = field(default_factory=dict)
    volumes: dict[str, ObservedVolume] = field(default_factory=dict)
    containers: dict[str, ObservedContainer] = field(default_factory=dict)
    """By id."""
    anonymous: dict[str, dict[str, str]] = field(default_factory=dict)
    """Volume name by target, by container id."""
    images: dict[str, str] = field(default_factory=dict)
    """Image id by name: those that were built or pulled here."""
    log: list[str] = field(default_factory=list)
    image_names: dict[str, str] = field(default_factory=dict)
    """What services call their images, those that name them."""
    _serial: int = 0

    async def observe(self, project: str) -> Observed:
        return self.observed()

    def observed(self) -> Observed:
        return Observed(dict(self.networks), dict(self.volumes), tuple(self.containers.values()))

    def by_name(self, name: str) -> ObservedContainer:
        found = [container for container in self.containers.values() if container.name == name]
        self._need(len(found) == 1, f"{len(found)} containers are called {name}")
        return found[0]

    async def pull_image(self, operation: PullImage) -> None:
        self.log.append(f"pull {operation.reference}")
        self.images.setdefault(operation.reference, self._id("image"))

    async def build_image(self, operation: BuildImage) -> None:
        self.log.append(f"build {operation.service}")
        self._need(bool(operation.references), f"the image of {operation.service} has no name")
        for source in built_from(operation.build):
            name = self.image_names.get(source, f"{self.project}-{source}")
            self._need(name in self.images, f"{operation.service} is built from {name}, which is not there")
        if operation.if_missing and self.images.keys() >= set(operation.references):
            return
        self.images |= dict.fromkeys(operation.references, self._id("image"))

    async def push_image(self, operation: PushImage) -> None:
        self.log.append(f"push {operation.reference}")

    async def create_network(self, operation: CreateNetwork) -> None:
        network = operation.network
        self.log.append(f"create network {network.name}")
        there = self.networks.get(network.name)
        if there and there.alive:
            self._need(there.wanted_subnet == network.subnet or network.external, f"{network.name} exists and differs")
            return
        self.networks[network.name] = ObservedNetwork(
            id=self._id("net"),
            name=network.name,
            alive=True,
            internal=network.internal,
            subnet=network.subnet or "10.0.0.0/24",
            wanted_subnet=network.subnet,
            project=self.project,
            wanted_gateway=network.gateway,
            wanted_range=network.ip_range,
            wanted_reserved=network.reserved,
        )

    async def remove_network(self, operation: RemoveNetwork) -> None:
        self.log.append(f"remove network {operation.name}")
        users = [c.name for c in self.containers.values() if c.state is State.RUNNING and operation.name in c.networks]
        self._need(not users, f"network {operation.name} is in use by {users}")
        self.networks.pop(operation.name, None)

    async def create_volume(self, operation: CreateVolume) -> None:
        volume = operation.volume
        self.log.append(f"create volume {volume.name}")
        self.volumes.setdefault(volume.name, ObservedVolume(volume.name, self.project, driver=volume.driver))

    async def remove_volume(self, operation: RemoveVolume) -> None:
        self.log.append(f"remove volume {operation.name}")
        users = [
            container.name
            for container in self.containers.values()
            if operation.name in self.anonymous[container.id].values()
            or any(mount.source == operation.name for mount in container.config.mounts)
        ]
        self._need(not users, f"volume {operation.name} is in use by {users}")
        self.volumes.pop(operation.name, None)

    async def remove_image(self, operation: RemoveImage) -> None:
        self.log.append(f"remove image {operation.reference}")
        image = self.images.pop(operation.reference, None)
        users = [c.name for c in self.containers.values() if image and c.config.image_id == image]
        self._need(not users, f"image {operation.reference} is in use by {users}")

    async def create_container(self, operation: CreateContainer) -> None:
        desired, config = operation.container, operation.container.config
        self.log.append(f"create {desired.name}")
        for mount in config.mounts:
            known = mount.kind != "volume" or not mount.source or mount.source in self.volumes
            self._need(known, f"{desired.name} mounts volume {mount.source}, which is not there")
        inherited: dict[str, str] = {}
        if operation.replaces:
            old = self.containers.get(operation.replaces)
            self._need(old is not None, f"{desired.name} replaces {operation.replaces}, which is not there")
            assert old is not None
            inherited = self.anonymous[old.id]
            if old.name == desired.name:
                self.containers[old.id] = replace(old, name=f"{old.id}_{old.name}")
        taken = any(container.name == desired.name for container in self.containers.values())
        self._need(not taken, f"the name {desired.name} is taken")
        container_id = self._id("c")
        targets = [mount.target for mount in config.mounts if mount.kind == "volume" and not mount.source]
        self.anonymous[container_id] = {target: inherited.get(target) or self._id("anonymous") for target in targets}
        for name in self.anonymous[container_id].values():
            self.volumes.setdefault(name, ObservedVolume(name, self.project, anonymous=True))
        self.containers[container_id] = ObservedContainer(
            id=container_id,
            name=desired.name,
            service=desired.service,
            number=desired.number,
            config=config,
            config_hash=desired.config_hash,
            state=State.CREATED,
            one_off=desired.one_off,
            needs=desired.needs,
        )

    async def start_container(self, operation: StartContainer) -> None:
        self.log.append(f"start {operation.name}")
        container = self.by_name(operation.name)
        self._need(container.state is not State.RUNNING, f"{container.name} runs already")
        self._need_free(container)
        networks = {}
        for place in container.config.networks:
            network = self.networks.get(place.network)
            if network is None or not network.alive:
                raise ImpossibleError(f"{container.name} starts on {place.network}, which is not there")
            networks[place.network] = network.id
        program, *rest = container.config.arguments
        exit_code = int(rest[0]) if program == "exit" else None
        health = Health.NONE
        if container.config.health:
            health = Health.UNHEALTHY if container.service in self.unhealthy else Health.STARTING
        self.containers[container.id] = replace(
            container,
            state=State.RUNNING if exit_code is None else State.EXITED,
            exit_code=exit_code or 0,
            health=health,
            networks=networks,
            joined=self._joined(container),
        )

    async def stop_container(self, operation: StopContainer) -> None:
        self.log.append(f"stop {operation.name}")
        if container := self.containers.get(operation.id):
            self._exit(container, 143)

    async def remove_container(self, operation: RemoveContainer) -> None:
        self.log.append(f"remove {operation.name}")
        container = self.containers.get(operation.id)
        if container is None:
            return
        self._need(container.state is not State.RUNNING, f"{container.name} runs")
        del self.containers[operation.id]
        volumes = self.anonymous.pop(operation.id)
        if operation.volumes:
            passed_on = {name for others in self.anonymous.values() for name in others.values()}
            for name in volumes.values():
                if name not in passed_on:
                    self.volumes.pop(name, None)

    async def await_condition(self, operation: AwaitCondition) -> None:
        self.log.append(f"await {operation.service} {operation.condition.value}")
        for name in operation.containers:
            container = self.by_name(name)
            self._need(container.state is not State.CREATED, f"{name} is awaited, but was never started")
            match operation.condition:
                case Condition.COMPLETED if container.state is State.RUNNING or container.exit_code:
                    raise ContainerError(f"cannot go on: `{name}` did not complete")
                case Condition.HEALTHY:
                    if container.state is not State.RUNNING or container.health is not Health.STARTING:
                        if container.health is not Health.HEALTHY:
                            raise ContainerError(f"cannot go on: `{name}` is not healthy")
                    else:
                        self.containers[container.id] = replace(container, health=Health.HEALTHY)
                case Condition.STARTED if container.state is not State.RUNNING and container.exit_code:
                    raise ContainerError(f"cannot go on: `{name}` has exited")

    def create_half(self, operation: CreateContainer) -> None:
        """Die in the middle of a recreation: the old container has given its name away, the new one is not there yet."""
        old = self.containers[operation.replaces]
        self.containers[old.id] = replace(old, name=f"{old.id}_{old.name}")

    def exit(self, name: str, status: int = 0) -> None:
        """Let a container end by itself."""
        self._exit(self.by_name(name), status)

    def reboot(self) -> None:
        """Nothing runs, no namespace is left, the records are."""
        for container in self.containers.values():
            self._exit(container, 255)
        self.networks = {name: replace(network, alive=False) for name, network in self.networks.items()}

    def _exit(self, container: ObservedContainer, status: int) -> None:
        if container.state is State.RUNNING:
            self.containers[container.id] = replace(
                container, state=State.EXITED, exit_code=status, health=Health.NONE, networks={}
            )

    def _need_free(self, container: ObservedContainer) -> None:
        """Addresses belong to a place in the project, and a host port to one container."""
        ports = {port.host_port for port in container.config.ports}
        for other in self.containers.values():
            if other.state is State.RUNNING and not other.one_off:
                same = (other.service, other.number) == (container.service, container.number)
                self._need(not same, f"{container.name} starts while {other.name} has its place")
                taken = ports & {port.host_port for port in other.config.ports}
                self._need(not taken, f"{container.name} publishes {taken}, which {other.name} does")

    def _joined(self, container: ObservedContainer) -> str:
        mode = container.config.network_mode
        if not mode.startswith("service:"):
            return ""
        service = mode.removeprefix("service:")
        others = [c for c in self.containers.values() if c.service == service and c.number == 1 and not c.one_off]
        running = [other for other in others if other.state is State.RUNNING]
        self._need(bool(running), f"{container.name} shares the network of {service}, which does not run")
        return running[0].id

    def _id(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}{self._serial}"

    def _need(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise ImpossibleError(otherwise)
