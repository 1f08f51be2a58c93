"""What is asked of a project as a whole, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The flags of `compose up` and `create` that concern the engine."""

    services: tuple[str, ...] = ()
    """Named on the command line; empty means all."""
    force_recreate: bool = False
    no_recreate: bool = False
    no_deps: bool = False
    no_start: bool = False
    remove_orphans: bool = False
    renew_anonymous_volumes: bool = False
    always_recreate_deps: bool = False
    scale: dict[str, int] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds of grace for containers that are replaced."""
    wait: bool = False
    wait_timeout: float | None = None
    dry_run: bool = False
    pull: str = "policy"
    """`always`, `missing`, `never`, `build`, or `policy`: what the file says."""
    quiet_pull: bool = False
    """Do not tell how far pulls are, only when they begin and end."""
    build: str = "auto"
    """`auto` (what is missing or made from other inputs), `missing`, `always` or `never`."""
    quiet_build: bool = False
    """Do not tell of the steps of builds, only when builds begin and end."""


@dataclass(frozen=True, slots=True)
class UpRequest:
    """`project` is `Project.model_dump(mode="json")`, `origins` what `Origins.to_wire()` wrote."""

    project: dict[str, Any]
    origins: Any
    options: UpOptions = UpOptions()
    surroundings: dict[str, str] = field(default_factory=dict)
    """Of the client's environment what concerns registries: `registry.surroundings`."""
    lock: dict[str, Any] = field(default_factory=dict)
    """What the project's lock pins, as `lock.pins.Pins.to_wire()`; empty where there is none."""


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """How to read the project's files again: the command line's options, and the variables that reading them took."""

    directory: str
    files: tuple[str, ...] = ()
    project_directory: str = ""
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DownRequest:
    """`project` may be None: what is recorded under the name is taken down."""

    project: dict[str, Any] | None = None
    services: tuple[str, ...] = ()
    volumes: bool = False
    images: str = ""
    """Which images go too: `all`, `local` (those that no `image:` names), or none."""
    remove_orphans: bool = False
    timeout: float | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ServicesRequest:
    """`stop`, `start`, `restart`, `kill`, `rm` of services (empty: all)."""

    services: tuple[str, ...] = ()
    timeout: float | None = None
    signal: str = "SIGKILL"
    no_deps: bool = False
    remove_orphans: bool = False
    volumes: bool = False
    stop: bool = False
    wait: bool = False
    wait_timeout: float | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project as `compose ls` shows it."""

    name: str
    status: str
    """For instance `running(3)` or `running(2), exited(1)`."""
    config_files: tuple[str, ...]
