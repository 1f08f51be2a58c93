"""The project as everything after the loader sees it: long forms only, references resolved, paths absolute.

Where the Compose file may say one thing in several ways, the model says it in one. `None` means "not said, the image
or a default decides"; an empty tuple means "said to be nothing". Durations are seconds, sizes are bytes. The classes
are frozen, and `Project.model_dump_json` / `model_validate_json` carry them over a socket unchanged.

Names follow the Compose Specification <https://github.com/compose-spec/compose-spec/blob/main/spec.md>.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """What all parts of the model share: immutable, and no field that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(StrEnum):
    """What a dependency must have reached before its dependant starts."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Dependency(Frozen):
    """One entry of `depends_on`, or one that follows from `network_mode: service:`, `links` or `volumes_from`."""

    condition: Condition = Condition.STARTED
    restart: bool = False
    """Restart the dependant when the dependency is restarted or recreated by a command."""
    required: bool = True
    """When false, a dependency that is missing or fails is only warned about."""


class Ulimit(Frozen):
    """One resource limit; -1 is unlimited."""

    soft: int
    hard: int


class Grant(Frozen):
    """A secret or config that a container gets as a file."""

    source: str
    """A key of `Project.secrets` or `Project.configs`."""
    target: str
    """An absolute path in the container; the id that steps know it by, for a secret of a build."""
    uid: int = 0
    gid: int = 0
    mode: int = 0o444


class Build(Frozen):
    """How the image is built; parsed for the builder, which is not this room's business."""

    context: str
    """An absolute directory, or a URL as written."""
    dockerfile: str | None = None
    """Relative to the context; `None` only where `dockerfile_inline` is given."""
    dockerfile_inline: str | None = None
    target: str | None = None
    args: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    additional_contexts: dict[str, str] = Field(default_factory=dict)
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    network: str | None = None
    shm_size: int | None = None
    extra_hosts: tuple[tuple[str, str], ...] = ()
    platforms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    no_cache_filter: tuple[str, ...] = ()
    secrets: tuple[Grant, ...] = ()
    ssh: dict[str, str | None] = Field(default_factory=dict)
    """Paths of keys or agents by id; `None` is the user's own agent."""
    ulimits: dict[str, Ulimit] = Field(default_factory=dict)
    privileged: bool = False
    entitlements: tuple[str, ...] = ()


class Port(Frozen):
    """One container port that is published; ranges of equal length have become several of these."""

    target: int
    published: str | None = None
    """The host port; `None` means any free one (from `published_range` if that is set)."""
    published_range: tuple[int, int] | None = None
    """First and last host port to choose from, as in `8000-9000:80`."""
    host_ip: str | None = None
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    """`sctp` is read, and refused where it would be published."""
    name: str | None = None
    mode: str = "ingress"
    app_protocol: str | None = None


class Mount(Frozen):
    """One entry of `volumes`."""

    type: Literal["bind", "volume", "tmpfs", "image", "npipe", "cluster"]
    source: str | None = None
    """bind: an absolute path; volume: a key of `Project.volumes`, or `None` for an anonymous one."""
    target: str
    read_only: bool = False
    create_host_path: bool = True
    propagation: str | None = None
    selinux: str | None = None
    nocopy: bool = False
    subpath: str | None = None
    tmpfs_size: int | None = None
    tmpfs_mode: int | None = None


class Attachment(Frozen):
    """How a service takes part in a network."""

    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    mac_address: str | None = None
    priority: int = 0
    """The network with the highest priority becomes the first interface."""
    gw_priority: int = 0
    """The network with the highest one gives the default route."""


class Healthcheck(Frozen):
    """The probe; whatever is `None` (or an empty test) comes from the image, then from Docker's defaults."""

    test: tuple[str, ...] = ()
    """`("CMD", …)`, `("CMD-SHELL", line)`, `("NONE",)`, or `()` to inherit the image's."""
    interval: float | None = None
    timeout: float | None = None
    start_period: float | None = None
    start_interval: float | None = None
    retries: int | None = None

    @property
    def disable(self) -> bool:
        """Whether the image's healthcheck is switched off too."""
        return self.test[:1] == ("NONE",)


class Restart(Frozen):
    """The restart policy."""

    policy: Literal["no", "always", "on-failure", "unless-stopped"] = "no"
    max_retries: int = 0
    """For `on-failure`: how often at most; 0 is without end."""


class Device(Frozen):
    """A device of this machine that a container gets."""

    source: str
    target: str
    permissions: str = "rwm"


class Logging(Frozen):
    """What happens to a container's output."""

    driver: str = ""
    """Empty: the one that everything here has."""
    options: dict[str, str] = Field(default_factory=dict)


class Hook(Frozen):
    """A command that accompanies a container's life; what is `None` is the container's own."""

    command: tuple[str, ...] = ()
    user: str | None = None
    privileged: bool = False
    working_dir: str | None = None
    environment: dict[str, str | None] = Field(default_factory=dict)


class Trigger(Frozen):
    """One entry of `develop.watch`: what follows when files change."""

    action: Literal["sync", "rebuild", "restart", "sync+restart", "sync+exec"]
    path: str
    """Absolute."""
    target: str | None = None
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    initial_sync: bool = False
    exec: Hook | None = None


class Develop(Frozen):
    """How the service is developed."""

    watch: tuple[Trigger, ...] = ()


class Service(Frozen):
    """One service, everything it inherits or refers to already worked in."""

    name: str
    image: str | None = None
    build: Build | None = None
    command: tuple[str, ...] | None = None
    """`None`: the image's; `()`: cleared."""
    entrypoint: tuple[str, ...] | None = None
    """`None`: the image's; `()`: cleared."""
    container_name: str | None = None
    hostname: str | None = None
    domainname: str | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    """`env_file`s and `environment` merged; a `KEY` without value was taken from the shell or left out."""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    """`PORT` or `FIRST-LAST`, with `/udp` where it is not TCP."""
    volumes: tuple[Mount, ...] = ()
    volumes_from: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ()
    """`PATH` or `PATH:options`."""
    depends_on: dict[str, Dependency] = Field(default_factory=dict)
    links: tuple[str, ...] = ()
    networks: dict[str, Attachment] = Field(default_factory=dict)
    """By key of `Project.networks`; empty only with a `network_mode`."""
    network_mode: str | None = None
    """`none`, `host`, `service:NAME`, `container:NAME` or `bridge`."""
    healthcheck: Healthcheck | None = None
    develop: Develop | None = None
    restart: Restart = Restart()
    stop_signal: str | None = None
    stop_grace_period: float = 10.0
    user: str | None = None
    group_add: tuple[str, ...] = ()
    working_dir: str | None = None
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    read_only: bool = False
    profiles: tuple[str, ...] = ()
    replicas: int = 1
    extra_hosts: tuple[tuple[str, str], ...] = ()
    """(name, address) in file order; an address may be `host-gateway`."""
    attach: bool = True
    pull_policy: str | None = None
    platform: str | None = None
    runtime: str | None = None
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: dict[str, str] = Field(default_factory=dict)
    ulimits: dict[str, Ulimit] = Field(default_factory=dict)
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    secrets: tuple[Grant, ...] = ()
    configs: tuple[Grant, ...] = ()
    logging: Logging = Logging()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    mac_address: str | None = None
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    ipc: str | None = None
    pid: str | None = None
    uts: str | None = None
    cgroup_parent: str | None = None
    shm_size: int | None = None
    mem_limit: int | None = None
    mem_reservation: int | None = None
    memswap_limit: int | None = None
    mem_swappiness: int | None = None
    cpus: float | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None
    """Microseconds, as `cpu_quota`."""
    cpu_quota: int | None = None
    cpuset: str | None = None
    pids_limit: int | None = None
    oom_score_adj: int | None = None
    extensions: dict[str, Any] = Field(default_factory=dict)
    """The service's `x-…` entries, as written."""


class Network(Frozen):
    """A network of the project, or one outside that it refers to."""

    key: str
    name: str
    """The full name: `PROJECT_KEY` unless the file says another."""
    external: bool = False
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    driver: str | None = None
    driver_opts: dict[str, str] = Field(default_factory=dict)
    subnet: str | None = None
    gateway: str | None = None
    ip_range: str | None = None
    aux_addresses: dict[str, str] = Field(default_factory=dict)
    """Addresses that others than containers have, by host name."""
    labels: dict[str, str] = Field(default_factory=dict)
    extensions: dict[str, Any] = Field(default_factory=dict)


class Volume(Frozen):
    """A named volume of the project, or one outside that it refers to."""

    key: str
    name: str
    """The full name: `PROJECT_KEY` unless the file says another."""
    external: bool = False
    driver: str | None = None
    driver_opts: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    extensions: dict[str, Any] = Field(default_factory=dict)


class File(Frozen):
    """A secret or a config: one of the three places its content comes from."""

    key: str
    name: str
    """The full name: `PROJECT_KEY` unless the file says another."""
    file: str | None = None
    """An absolute path."""
    environment: str | None = None
    """The variable whose value it is; the value itself is in no model."""
    content: str | None = None
    external: bool = False
    template_driver: str | None = None


class Project(Frozen):
    """A whole loaded project."""

    name: str
    working_dir: str
    """The project directory, absolute: what relative paths were resolved against."""
    compose_files: tuple[str, ...] = ()
    """The files named or found, absolute, in merge order; `-` for standard input."""
    services: dict[str, Service] = Field(default_factory=dict)
    """The enabled services, in file order."""
    disabled: dict[str, Service] = Field(default_factory=dict)
    """Those whose profiles are not active."""
    networks: dict[str, Network] = Field(default_factory=dict)
    """All that are declared, and `default` where a service needs it; `select` leaves those that it uses."""
    volumes: dict[str, Volume] = Field(default_factory=dict)
    """All that are declared; `select` leaves those that it uses."""
    secrets: dict[str, File] = Field(default_factory=dict)
    configs: dict[str, File] = Field(default_factory=dict)
    environment_used: dict[str, str] = Field(default_factory=dict)
    """The variables that interpolation and `KEY`-only entries took, with their values; never shown."""
    extensions: dict[str, Any] = Field(default_factory=dict)
