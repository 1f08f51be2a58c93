"""composer's engine without its command line: requests over its socket, timed by a client that is already awake."""

from __future__ import annotations

import time
from collections.abc import Callable

from composer.api.client import Client
from composer.api.messages import DownRequest, Event, ServicesRequest, UpRequest
from composer.api.streams import EventStream
from composer.paths import Paths
from composer.project import LoadOptions, load
from tests.bench import projects
from tests.bench.figures import Figure
from tests.bench.peers import Composer, Project

UP = Figure("engine: `up` of one service with its network", "ms")
START = Figure("engine: of that, the start of the container", "ms")
AGAIN = Figure("engine: `up` again", "ms")
RESTART = Figure("engine: `stop`, then `start`: the start", "ms")
DOWN = Figure("engine: `down`", "ms")

_SETTLED = 0.1
"""Seconds after which the shell in a container has set its trap; the first process ignores signals it has no handler for."""


def measure(peer: Composer) -> dict[Figure, float]:
    """One round, in milliseconds."""
    project = Project(peer, "engine", projects.idle(1))
    loaded = load(LoadOptions(files=(f"{project.directory}/compose.yaml",)), peer.environment)
    client = Client(Paths.from_environment(peer.environment, 0), peer.environment)
    name = loaded.project.name
    request = UpRequest(loaded.project.model_dump(mode="json"), loaded.origins.to_wire())
    client.version()  # awake
    up, events = _timed(lambda: client.up(name, request))
    again, _ = _timed(lambda: client.up(name, request))
    time.sleep(_SETTLED)
    _timed(lambda: client.act("stop", name, ServicesRequest()))
    restart, _ = _timed(lambda: client.act("start", name, ServicesRequest()))
    time.sleep(_SETTLED)
    down, _ = _timed(lambda: client.down(name, DownRequest()))
    start = sum(each.seconds for each in events if each.resource == "container" and each.status == "started")
    return {UP: up, START: start * 1000, AGAIN: again, RESTART: restart, DOWN: down}


def _timed(request: Callable[[], EventStream]) -> tuple[float, list[Event]]:
    """Milliseconds until the result, and the events before it."""
    began = time.perf_counter()
    items = list(request())
    return (time.perf_counter() - began) * 1000, [item for item in items if isinstance(item, Event)]
