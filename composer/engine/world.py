"""What should be and what is: two snapshots that `reconcile` compares.

`ContainerConfig` is everything of a container that a Compose file decides. It is what the configuration hash covers, what is
stored with a container, and what is compared attribute by attribute to say *why* something is recreated. What must not
cause a recreation stays out of it: the replica count, profiles, depends_on, the file's path, and addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Condition(StrEnum):
    """What `depends_on.*.condition` may say."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class State(StrEnum):
    """Where a container is in its life, as `compose ps` prints it."""

    CREATED = "created"
    RUNNING = "running"
    RESTARTING = "restarting"
    EXITED = "exited"


class Health(StrEnum):
    """What the healthcheck says; `NONE` where there is no check."""

    NONE = ""
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A container's place on a network, by the network's full name."""

    network: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    mac_address: str = ""
    gateway_priority: int = 0
    """The highest one gives the default route; among equals the first attachment does."""


@dataclass(frozen=True, slots=True)
class Publish:
    """A published port; `host_port` is "" (ephemeral), "8080", or "8000-8010" (the first free one)."""

    target: int
    protocol: str = "tcp"
    host_ip: str = ""
    host_port: str = ""


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A mount: `source` is a host path (bind), a volume's full name, or "" (anonymous volume, tmpfs)."""

    kind: str
    """`bind`, `volume` or `tmpfs`."""
    target: str
    source: str = ""
    read_only: bool = False
    create_host_path: bool = True
    propagation: str = ""
    nocopy: bool = False
    subpath: str = ""
    tmpfs_size: int = 0
    tmpfs_mode: int = 0o1777
    tmpfs_options: str = ""
    shared: str = ""
    """An anonymous volume of another service's container: `SERVICE`, or `container:NAME`."""


@dataclass(frozen=True, slots=True)
class HealthTest:
    """How a container's health is probed; times in seconds, defaults as Docker's."""

    test: tuple[str, ...]
    """`("CMD", program, ...)` or `("CMD-SHELL", line)`."""
    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0
    start_interval: float = 5.0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """`no`, `always`, `on-failure` (with at most `max_retries`, 0 for no limit) or `unless-stopped`."""

    name: str = "no"
    max_retries: int = 0


@dataclass(frozen=True, slots=True)
class Ulimit:
    """One resource limit of a container's processes (`getrlimit(2)`, without `RLIMIT_`); -1 is unlimited."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container's cgroup may use; zero or "" where nothing is said. Memory in bytes."""

    memory: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0
    """Memory and swap together; -1 is without limit."""
    swappiness: int | None = None
    cpus: float = 0.0
    cpu_shares: int = 0
    cpu_quota: int = 0
    """Microseconds of every `cpu_period`, as `cpus` says it in another way."""
    cpu_period: int = 0
    cpuset: str = ""
    pids: int = 0


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """A device of this machine that a container gets; `permissions` are some of `rwm`."""

    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class FileGrant:
    """A secret or config as a file in a container."""

    kind: str
    """`secret` or `config`."""
    key: str
    target: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o444
    digest: str = ""
    """Of the content: when it changes, so does the container."""
    path: str = ""
    """Where the content is read from at each start; "" where `content` has it."""
    content: str = field(default="", compare=False)
    """Never shown; `digest` tells a change of it."""
    facts: str = field(default="", compare=False)
    """JSON, what `content`, a template then, is rendered with at each start; its digest is that of the text."""


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """Everything of a container that the Compose file and its image's configuration decide."""

    image: str
    """The reference as the file has it."""
    image_id: str
    """The image's digest, "" for the embedded image `host`."""
    arguments: tuple[str, ...]
    """Entrypoint and command together, image defaults applied."""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    user: str = ""
    hostname: str = ""
    """"" means the container's short id."""
    domainname: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[MountPoint, ...] = ()
    networks: tuple[Attachment, ...] = ()
    network_mode: str = ""
    """"" (its networks), `none`, `host` or `service:NAME`."""
    ports: tuple[Publish, ...] = ()
    exposed: tuple[str, ...] = ()
    """`PORT[-LAST]/PROTOCOL` that the image or the file says it listens on: shown, and nothing else."""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    health: HealthTest | None = None
    restart: RestartPolicy = RestartPolicy()
    stop_signal: str = "SIGTERM"
    stop_grace_period: float = 10.0
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ulimits: tuple[Ulimit, ...] = ()
    limits: Limits = Limits()
    shm_size: int = 0
    """Bytes of /dev/shm; 0 is the default."""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    oom_score_adj: int = 0
    privileged: bool = False
    devices: tuple[DeviceGrant, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    ipc: str = ""
    """"" (its own), `host`, or what means its own too."""
    uts: str = ""
    links: tuple[tuple[str, str], ...] = ()
    """(service, another name for it)."""
    files: tuple[FileGrant, ...] = ()
    log_driver: str = ""
    log_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredNetwork:
    """A network that should exist; `external` ones are only checked for."""

    key: str
    name: str
    external: bool = False
    internal: bool = False
    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    """The part of the subnet that addresses are given out of; "" is all of it."""
    reserved: tuple[str, ...] = ()
    """Addresses that others have."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredVolume:
    """A named volume that should exist; `external` ones are only checked for."""

    key: str
    name: str
    external: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    driver: str = ""
    """"" is `local`."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a service waits for before it starts."""

    service: str
    condition: Condition
    required: bool = True
    restart: bool = False


@dataclass(frozen=True, slots=True)
class DesiredContainer:
    """One replica (or one-off) that should run."""

    name: str
    service: str
    number: int
    config: ContainerConfig
    config_hash: str
    needs: tuple[Need, ...] = ()
    one_off: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """How often a service was asked to restart, and why the last time: a container that started before is restarted."""

    number: int
    cause: str


@dataclass(frozen=True, slots=True)
class Desired:
    """What a project should look like; containers in start order."""

    project: str
    networks: Mapping[str, DesiredNetwork]
    """By full name; only those that a container uses."""
    volumes: Mapping[str, DesiredVolume]
    containers: tuple[DesiredContainer, ...]
    scope: frozenset[str]
    """The services this request is about: containers of others are left as they are."""
    known: frozenset[str]
    """Every service of the file, profiles regardless: containers of services not in it are orphans."""
    explicit: frozenset[str] = frozenset()
    """The services named on the command line (or all): `--force-recreate` concerns these, not their dependencies."""
    generations: Mapping[str, Generation] = field(default_factory=dict)
    """By service; none is the first."""


@dataclass(frozen=True, slots=True)
class ObservedNetwork:
    """A network on record, and whether its namespace really exists."""

    id: str
    name: str
    alive: bool
    internal: bool = False
    subnet: str = ""
    wanted_subnet: str = ""
    """What the file asked for when it was made; "" for a default."""
    project: str = ""
    """"" for one that belongs to no project."""
    wanted_gateway: str | None = None
    """What the file asked for when it was made; None where that was not recorded, which is then not compared."""
    wanted_range: str | None = None
    wanted_reserved: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ObservedVolume:
    """A volume on record."""

    name: str
    project: str = ""
    anonymous: bool = False
    """It goes with the container that has it. One whose container is gone is the project's, and goes with `down -v`."""
    driver: str = ""


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """A container on record with the kernel's word on its state."""

    id: str
    name: str
    service: str
    number: int
    config: ContainerConfig
    config_hash: str
    state: State
    exit_code: int = 0
    health: Health = Health.NONE
    one_off: bool = False
    networks: Mapping[str, str] = field(default_factory=dict)
    """Network id it was attached to at its start, by network name."""
    joined: str = ""
    """Id of the container whose network namespace it shares (`network_mode: service:X`)."""
    needs: tuple[Need, ...] = ()
    """What it waited for when it was created: the order for `down` and `stop` without a file."""
    generation: int = 0
    """The service's when it started."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there, from the store and the kernel."""

    networks: Mapping[str, ObservedNetwork] = field(default_factory=dict)
    volumes: Mapping[str, ObservedVolume] = field(default_factory=dict)
    containers: tuple[ObservedContainer, ...] = ()
    """Of this project."""
