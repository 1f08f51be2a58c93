"""What the engine keeps about each thing it made: enough to find it again after any crash.

Names in the kernel are derived from the ids here. A record is written before its effect and removed after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from composer.engine.world import ContainerConfig, Health, Need, State


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place on a network; kept as long as the container, so its address is stable."""

    network: str
    """The network's id."""
    address: str
    mac: str


@dataclass(frozen=True, slots=True)
class Published:
    """A published port as it was really opened."""

    host_ip: str
    host_port: int
    target: int
    protocol: str


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One container; times in seconds since the epoch, 0 for never."""

    id: str
    name: str
    project: str
    service: str
    number: int
    config: ContainerConfig
    config_hash: str
    one_off: bool = False
    needs: tuple[Need, ...] = ()
    state: State = State.CREATED
    health: Health = Health.NONE
    exit_code: int = 0
    error: str = ""
    """Why it could not be started, "" when it could."""
    oom_killed: bool = False
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    pid: int = 0
    start_time: int = 0
    """Field 22 of /proc/pid/stat: pid and start time together name a process."""
    starts: int = 0
    """How often it was started; its links are named by this."""
    restarts: int = 0
    wanted: bool = False
    """Whether it should run: set by start, cleared by an explicit stop; restart policies obey it."""
    restarting: str = ""
    """The boot in which a `restart` has stopped it, or is about to, and not started it again; "" when none has."""
    anonymous: Mapping[str, str] = field(default_factory=dict)
    """Volume name by target, for anonymous volumes."""
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    """By network name."""
    joined: str = ""
    """Id of the container whose network namespace it shares."""
    ports: tuple[Published, ...] = ()
    remove_on_exit: bool = False
    generation: int = 0
    """The service's generation when it was started."""


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """One network and the subnet it got."""

    id: str
    name: str
    key: str
    project: str
    subnet: str
    gateway: str
    internal: bool = False
    wanted_subnet: str = ""
    wanted_gateway: str = ""
    ip_range: str = ""
    reserved: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """An address on a network: it belongs to a place in a project, not to a container, and lasts until `down`."""

    network: str
    project: str
    service: str
    number: int
    one_off: str
    """Id of the one-off container; "" for a replica."""
    address: str


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """One volume."""

    name: str
    project: str
    key: str = ""
    anonymous: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    driver: str = ""
    seeded: bool = False
    """Whether an image's content was copied into it (or it was found not to need any)."""


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """What an image was built from, by the image's name; see `building.freshness`."""

    image_id: str
    """The image that was made: what has the name since then was not made from this."""
    salt: str
    settings: Mapping[str, str]
    images: Mapping[str, str]
    files: str
    """Digests by path, packed by `building.inputs`."""


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """What a project was brought up from, last."""

    name: str
    working_dir: str
    config_files: tuple[str, ...]
    order: tuple[str, ...] = ()
    """Its services in start order."""
