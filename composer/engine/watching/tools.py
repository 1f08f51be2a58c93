"""What sessions work with: the parts of the engine that a watch drives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from composer.api.messages import Event, Result, UpRequest
from composer.engine.confinement import Confinement
from composer.engine.processes import Processes
from composer.engine.rooms import Rooms
from composer.watch.ledger import Ledger

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """The rooms, and the engine's own requests."""

    rooms: Rooms
    confinement: Confinement
    processes: Processes
    ledger: Ledger
    up: Callable[[str, UpRequest, Emit], Awaitable[Result]]
    """The engine's `up`."""
    signal: Callable[[str, str], None]
    """Send a signal, by name, to a container, by id."""
    rebuild: Callable[[UpRequest, str, Emit], Awaitable[tuple[str, ...]]]
    """Builds a service's image again; the services that run it."""
    prune: Callable[[str], Awaitable[object]]
    """Deletes the images of a project that have no name any more and that nothing uses."""
