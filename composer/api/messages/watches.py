"""What is asked of a watch, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from composer.api.messages.events import Event
from composer.api.messages.projects import LoadRequest, UpRequest


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """`compose watch`; what `up` says is what changes of the files are reconciled with."""

    up: UpRequest
    load: LoadRequest
    detach: bool = False
    """Watch on without a client; answer when everything is in sync."""
    prune: bool = False
    """Remove what a rebuild leaves without a name."""


@dataclass(frozen=True, slots=True)
class WatchedService:
    """One service of a watch."""

    service: str
    in_sync: bool
    files: int
    """How many paths its rules select."""
    brought: int
    """How many changes were brought into its containers since the watch began."""
    lag: float
    """Seconds from the last save until it was done."""


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """How the watch over a project stands."""

    project: str
    detached: bool
    since: float
    note: str
    """How changes are noticed, where that is not the usual way."""
    services: tuple[WatchedService, ...]
    events: tuple[Event, ...]
    """The last ones."""
    times: tuple[float, ...]
    """When each of `events` was, in seconds since the epoch."""
