"""Watches over the files of projects."""

from __future__ import annotations

from composer.api.messages import WatchRequest
from composer.engine.requests import Requests
from composer.server.answers import EngineHandler, answer, events, message, project
from composer.server.http import Answer, Request


async def _watch(engine: Requests, request: Request) -> None:
    asked = message(WatchRequest, request)
    await events(request, lambda emit: engine.watches().watch(project(request), asked, emit))


async def _status(engine: Requests, request: Request) -> Answer:
    return answer(engine.watches().status(project(request)))


async def _stop(engine: Requests, request: Request) -> Answer:
    return answer(await engine.watches().stop(project(request)))


async def _verify(engine: Requests, request: Request) -> Answer:
    return answer({"differences": await engine.watches().verify(project(request))})


ROUTES: dict[str, EngineHandler] = {
    "POST /projects/{project}/watch": _watch,
    "GET /projects/{project}/watch": _status,
    "POST /projects/{project}/watch/stop": _stop,
    "POST /projects/{project}/watch/verify": _verify,
}
