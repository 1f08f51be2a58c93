"""Watches over the files of projects."""

from __future__ import annotations

from aiohttp import web

from composer.api.messages import WatchRequest
from composer.server.answers import answer, engine, events, message, project


async def _watch(request: web.Request) -> web.StreamResponse:
    asked = await message(WatchRequest, request)
    return await events(request, lambda emit: engine(request).watching.watch(project(request), asked, emit))


async def _status(request: web.Request) -> web.Response:
    return answer(engine(request).watching.status(project(request)))


async def _stop(request: web.Request) -> web.Response:
    return answer(await engine(request).watching.stop(project(request)))


async def _verify(request: web.Request) -> web.Response:
    return answer({"differences": await engine(request).watching.verify(project(request))})


ROUTES = (
    web.post("/projects/{project}/watch", _watch),
    web.get("/projects/{project}/watch", _status),
    web.post("/projects/{project}/watch/stop", _stop),
    web.post("/projects/{project}/watch/verify", _verify),
)
