"""The engine itself, and the disk it uses."""

from __future__ import annotations

import os
from collections.abc import Callable

from composer import __version__
from composer.api.messages import API_VERSION, BuildPruneRequest, PruneRequest
from composer.engine.requests import Requests
from composer.server.answers import EngineHandler, answer, events, message
from composer.server.http import Answer, Request


async def _version(engine: Requests, _request: Request) -> Answer:
    return answer({"version": __version__, "api": API_VERSION, "pid": os.getpid()})


async def _status(engine: Requests, request: Request) -> Answer:
    return answer(await engine.looking.status())


async def stop(engine: Requests, request: Request, end: Callable[[], None]) -> None:
    """`POST /engine/stop`; `end` ends the process, once all is answered."""
    force = bool(request.json().get("force"))
    await events(request, lambda emit: engine.stop_everything(force, emit))
    if engine.stopping:
        end()


async def _image_prune(engine: Requests, request: Request) -> Answer:
    return answer(await engine.images.pictures.prune(message(PruneRequest, request)))


async def _build_prune(engine: Requests, request: Request) -> Answer:
    return answer(await engine.images.prune_build_cache(message(BuildPruneRequest, request)))


async def _disk(engine: Requests, request: Request) -> Answer:
    return answer(await engine.images.disk_usage())


ROUTES: dict[str, EngineHandler] = {
    "GET /version": _version,
    "GET /engine": _status,
    "POST /images/prune": _image_prune,
    "POST /build/prune": _build_prune,
    "GET /disk": _disk,
}
