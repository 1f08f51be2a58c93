"""The engine itself, and the disk it uses."""

from __future__ import annotations

import os
from collections.abc import Callable

from aiohttp import web

from composer import __version__
from composer.api.messages import API_VERSION, BuildPruneRequest, PruneRequest
from composer.server.answers import answer, body, engine, events, message

STOP: web.AppKey[Callable[[], None]] = web.AppKey("stop", Callable)  # type: ignore[arg-type]
"""What an application calls to end the process."""


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"version": __version__, "api": API_VERSION, "pid": os.getpid()})


async def _status(request: web.Request) -> web.Response:
    return answer(await engine(request).looking.status())


async def _stop(request: web.Request) -> web.StreamResponse:
    force = bool((await body(request)).get("force"))
    response = await events(request, lambda emit: engine(request).stop_everything(force, emit))
    if engine(request).stopping:
        request.app[STOP]()
    return response


async def _image_prune(request: web.Request) -> web.Response:
    return answer(await engine(request).images.pictures.prune(await message(PruneRequest, request)))


async def _build_prune(request: web.Request) -> web.Response:
    return answer(await engine(request).images.prune_build_cache(await message(BuildPruneRequest, request)))


async def _disk(request: web.Request) -> web.Response:
    return answer(await engine(request).images.disk_usage())


ROUTES = (
    web.get("/version", _version),
    web.get("/engine", _status),
    web.post("/engine/stop", _stop),
    web.post("/images/prune", _image_prune),
    web.post("/build/prune", _build_prune),
    web.get("/disk", _disk),
)
