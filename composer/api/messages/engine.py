"""What is told of the engine and of the disk it uses, and what is asked of both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """`compose engine status`; pids are 0 for what does not run, `uptime` in seconds."""

    version: str
    socket: str
    data: str
    uptime: float
    engine: int
    keeper: int
    data_plane: int
    pump: int
    projects: int
    containers: int
    running: int
    rootless: bool
    notes: tuple[str, ...] = ()
    """What this machine cannot do, for instance limits that are not enforced."""


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """One line of `compose system df`; sizes in bytes."""

    kind: str
    total: int
    active: int
    size: int
    reclaimable: int


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """`compose image prune`; what containers were made from stays."""

    all: bool = False
    created_before: float | None = None
    labels: tuple[str, ...] = ()
    keep_storage: int | None = None
    blobs: bool = False
    """Also blobs of layers that are unpacked and can be pulled again."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class BuildPruneRequest:
    """Forget cached steps of builds, and with `mounts` cache mounts too."""

    mounts: bool = False
    used_before: float | None = None
    """Only what was of no use since then, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """Names and ids of what was deleted, and the bytes that are free now."""

    removed: tuple[str, ...] = ()
    reclaimed: int = 0
