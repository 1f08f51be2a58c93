"""A small shop to plan for: containers, projects and worlds in few words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from composer.api.messages import UpOptions
from composer.engine.execute import perform
from composer.engine.hashing import config_hash
from composer.engine.plan import Plan
from composer.engine.reconcile import reconcile
from composer.engine.world import (
    Attachment,
    Condition,
    ContainerConfig,
    Desired,
    DesiredContainer,
    DesiredNetwork,
    DesiredVolume,
    HealthTest,
    MountPoint,
    Need,
)
from tests.fakes.world import FakeWorld

PROJECT = "shop"
CHECK = HealthTest(("CMD", "true"))
JOB = ("exit", "0")
"""Arguments of a container that the fake world lets end at once."""


def config(**changes: Any) -> ContainerConfig:
    """A container's configuration, on the default network unless told otherwise."""
    plain = ContainerConfig("redis:7", "sha256:7", ("server",), networks=(Attachment("shop_default"),))
    return replace(plain, **changes)


def service(
    name: str, *needs: Need, count: int = 1, name_of_container: str = "", **changes: Any
) -> Iterable[DesiredContainer]:
    """The replicas of one service."""
    built = config(**changes)
    for number in range(1, count + 1):
        container = name_of_container or f"{PROJECT}-{name}-{number}"
        yield DesiredContainer(container, name, number, built, config_hash(built), needs)


def healthy(name: str, **terms: bool) -> Need:
    return Need(name, Condition.HEALTHY, **terms)


def completed(name: str, **terms: bool) -> Need:
    return Need(name, Condition.COMPLETED, **terms)


def begun(name: str, **terms: bool) -> Need:
    return Need(name, Condition.STARTED, **terms)


def volume(name: str, target: str = "/data") -> MountPoint:
    return MountPoint("volume", target, f"{PROJECT}_{name}" if name else "")


def project(*services: Iterable[DesiredContainer], **changes: Any) -> Desired:
    """The services as a whole project; `changes` overrule what follows from them."""
    containers = tuple(container for replicas in services for container in replicas)
    names = frozenset(container.service for container in containers)
    networks = {place.network for container in containers for place in container.config.networks}
    mounts = [mount for container in containers for mount in container.config.mounts]
    volumes = {mount.source for mount in mounts if mount.kind == "volume" and mount.source}
    desired = Desired(
        project=PROJECT,
        networks={name: DesiredNetwork(name.removeprefix("shop_"), name) for name in sorted(networks)},
        volumes={name: DesiredVolume(name.removeprefix("shop_"), name) for name in sorted(volumes)},
        containers=containers,
        scope=names,
        known=names,
        explicit=names,
    )
    return replace(desired, **changes)


def network(desired: Desired, name: str, **changes: Any) -> Desired:
    """The project with one of its networks changed."""
    return replace(desired, networks={**desired.networks, name: replace(desired.networks[name], **changes)})


def carry_out(plan: Plan, world: FakeWorld, *, until: str = "") -> None:
    """Every operation in the plan's order, or those before (and with) the node `until`."""

    async def perform_all() -> None:
        for node in plan:
            await perform(node.operation, world)
            if node.id == until:
                return

    asyncio.run(perform_all())


def world_with(desired: Desired) -> FakeWorld:
    """A world in which this project is up."""
    world = FakeWorld(PROJECT)
    carry_out(reconcile(desired, world.observed(), UpOptions()), world)
    world.log.clear()
    return world
