"""What is asked of containers, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """A process in a running container."""

    service: str
    command: tuple[str, ...]
    index: int = 0
    """0 is the first running replica."""
    tty: bool = False
    environment: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    detach: bool = False
    privileged: bool = False
    rows: int = 24
    columns: int = 80


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A one-off container of a service; its dependencies are brought up first unless `no_deps`."""

    project: dict[str, Any]
    origins: Any
    service: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    volumes: tuple[dict[str, Any], ...] = ()
    """As `project.model.Mount`."""
    publish: tuple[dict[str, Any], ...] = ()
    service_ports: bool = False
    use_aliases: bool = False
    name: str = ""
    tty: bool = False
    stdin: bool = False
    no_deps: bool = False
    remove: bool = False
    remove_orphans: bool = False
    pull: str = "policy"
    build: str = "auto"
    quiet_pull: bool = False
    quiet_build: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publisher:
    """A published port of a container, as `docker compose ps --format json` names it."""

    url: str
    target_port: int
    published_port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """A container as `compose ps` shows it; times are seconds since the epoch, 0 for never."""

    id: str
    name: str
    project: str
    service: str
    number: int
    image: str
    command: tuple[str, ...]
    state: str
    health: str
    exit_code: int
    pid: int
    created: float
    started: float
    finished: float
    publishers: tuple[Publisher, ...] = ()
    networks: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    one_off: bool = False
    error: str = ""
    """Why it could not be started, "" when it could."""
    restarts: int = 0
    attach: bool = True
    image_id: str = ""
    """What it was made from; the name may mean another image by now. Empty for the embedded image."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of output without its end; bytes that are not UTF-8 are replaced."""

    container: str
    service: str
    number: int
    stream: str
    """`stdout`, `stderr`, `tty` or `gap`."""
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """A container's life: `create start die stop kill health_status destroy`."""

    container: str
    name: str
    service: str
    action: str
    time: float
    exit_code: int = 0
    health: str = ""
    one_off: bool = False


@dataclass(frozen=True, slots=True)
class ToolchainRequest:
    """`compose toolchain`: the containers of services (empty: all), compared with the lock."""

    services: tuple[str, ...] = ()
    packages: bool = False
    """Also read what is installed in them."""
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerSoftware:
    """What a container was made from and has installed now."""

    container: str
    service: str
    image: str
    manifest: str
    """Empty for what has none: the embedded image, one that is gone."""
    platform: str
    state: str
    """`same` as locked, `other`, or `unlocked`."""
    packages: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
