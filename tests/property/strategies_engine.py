"""Random projects and worlds for the engine's properties: small, but with everything that interacts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from composer.engine.hashing import config_hash
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
    Publish,
)

PROJECT = "shop"
SERVICES = ("a", "b", "c", "d")
NETWORKS = ("front", "back")
VOLUMES = ("data", "cache")
PORTS = ("", "8080", "8081")
SUBNETS = ("", "10.1.0.0/24")


@dataclass(frozen=True)
class Sketch:
    """One service, as hypothesis draws it; indices refer to earlier services, so there are no cycles."""

    image: str
    replicas: int
    networks: frozenset[str]
    volumes: frozenset[str]
    anonymous: bool
    checked: bool
    one_shot: bool
    shares: bool
    port: str
    needs: tuple[tuple[str, Condition, bool, bool], ...]


def _needs(earlier: tuple[str, ...]) -> st.SearchStrategy[tuple[tuple[str, Condition, bool, bool], ...]]:
    if not earlier:
        return st.just(())
    need = st.tuples(st.sampled_from(earlier), st.sampled_from(Condition), st.booleans(), st.booleans())
    return st.lists(need, max_size=2, unique_by=lambda need: need[0]).map(tuple)


def sketches(name: str, earlier: tuple[str, ...]) -> st.SearchStrategy[Sketch]:
    """A service that may need those before it."""
    return st.builds(
        Sketch,
        image=st.sampled_from(("redis:7", "redis:8")),
        replicas=st.sampled_from((1, 1, 1, 2, 3, 0)),
        networks=st.frozensets(st.sampled_from(NETWORKS)),
        volumes=st.frozensets(st.sampled_from(VOLUMES)),
        anonymous=st.booleans(),
        checked=st.booleans(),
        one_shot=st.booleans(),
        shares=st.booleans() if earlier else st.just(False),
        port=st.sampled_from(PORTS),
        needs=_needs(earlier),
    )


@dataclass(frozen=True)
class Scene:
    """A project: what is desired, and which of its services end as soon as they start."""

    desired: Desired
    one_shots: frozenset[str]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A whole project."""
    count = draw(st.integers(1, len(SERVICES)))
    services = {SERVICES[i]: draw(sketches(SERVICES[i], SERVICES[:i])) for i in range(count)}
    networks = {
        f"{PROJECT}_{name}": DesiredNetwork(
            name, f"{PROJECT}_{name}", internal=draw(st.booleans()), subnet=draw(st.sampled_from(SUBNETS))
        )
        for name in NETWORKS
    }
    kept = _sound(services)
    return Scene(_desired(kept, networks), frozenset(name for name, sketch in kept.items() if sketch.one_shot))


def _sound(services: dict[str, Sketch]) -> dict[str, Sketch]:
    """Conditions that can hold: completed for one-shots only, healthy for checked ones that run, and so on."""
    sound: dict[str, Sketch] = {}
    for name, sketch in services.items():
        needs = []
        ports = {other.port for other in sound.values()}
        partner = next((other for other in sound if not sound[other].one_shot and sound[other].replicas), "")
        shares = sketch.shares and bool(partner) and not any(s.shares and n == partner for n, s in sound.items())
        for target, condition, required, restart in sketch.needs:
            other = sound[target]
            if condition is Condition.COMPLETED and not other.one_shot:
                condition = Condition.STARTED
            if condition is Condition.HEALTHY and (other.one_shot or not other.checked):
                condition = Condition.STARTED
            needs.append((target, condition, required, restart))
        if shares and all(need[0] != partner for need in needs):
            needs.append((partner, Condition.STARTED, True, False))
        sound[name] = replace(
            sketch,
            shares=shares,
            checked=sketch.checked and not sketch.one_shot,
            networks=frozenset() if shares else sketch.networks,
            port="" if shares or sketch.replicas > 1 or sketch.port in ports else sketch.port,
            needs=tuple(needs),
        )
    return sound


def _desired(services: dict[str, Sketch], networks: dict[str, DesiredNetwork]) -> Desired:
    containers = []
    partners = [name for name, sketch in services.items() if not sketch.one_shot and sketch.replicas]
    for name, sketch in services.items():
        for number in range(1, sketch.replicas + 1):
            mounts = [MountPoint("volume", f"/{volume}", f"{PROJECT}_{volume}") for volume in sorted(sketch.volumes)]
            if sketch.anonymous:
                mounts.append(MountPoint("volume", "/anonymous"))
            config = ContainerConfig(
                image=sketch.image,
                image_id=f"sha256:{sketch.image}",
                arguments=("exit", "0") if sketch.one_shot else ("server",),
                mounts=tuple(mounts),
                networks=tuple(Attachment(f"{PROJECT}_{network}", (name,)) for network in sorted(sketch.networks)),
                network_mode=f"service:{partners[0]}" if sketch.shares else "",
                ports=(Publish(80, host_port=sketch.port),) if sketch.port else (),
                health=HealthTest(("CMD", "true")) if sketch.checked else None,
            )
            containers.append(
                DesiredContainer(
                    name=f"{PROJECT}-{name}-{number}",
                    service=name,
                    number=number,
                    config=config,
                    config_hash=config_hash(config),
                    needs=tuple(Need(*need) for need in sketch.needs),
                )
            )
    used = {place.network for container in containers for place in container.config.networks}
    volumes = {mount.source for container in containers for mount in container.config.mounts if mount.source}
    scope = frozenset(services)
    return Desired(
        project=PROJECT,
        networks={name: network for name, network in networks.items() if name in used},
        volumes={name: DesiredVolume(name.removeprefix("shop_"), name) for name in sorted(volumes)},
        containers=tuple(containers),
        scope=scope,
        known=scope,
        explicit=scope,
    )
