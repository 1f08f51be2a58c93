"""Projects as a whole, and the services in them."""

from __future__ import annotations

from aiohttp import web

from composer.api.messages import (
    BuildRequest,
    DownRequest,
    PullRequest,
    PushRequest,
    RunRequest,
    ServicesRequest,
    ToolchainRequest,
    UpRequest,
)
from composer.server.answers import answer, engine, events, message, project


async def _projects(request: web.Request) -> web.Response:
    return answer(engine(request).looking.projects())


async def _up(request: web.Request) -> web.StreamResponse:
    asked = await message(UpRequest, request)
    return await events(request, lambda emit: engine(request).up(project(request), asked, emit))


async def _down(request: web.Request) -> web.StreamResponse:
    asked = await message(DownRequest, request)
    return await events(request, lambda emit: engine(request).down(project(request), asked, emit))


async def _services(request: web.Request) -> web.StreamResponse:
    asked, verb = await message(ServicesRequest, request), request.match_info["verb"]
    return await events(request, lambda emit: engine(request).services(verb, project(request), asked, emit))


async def _run(request: web.Request) -> web.StreamResponse:
    asked = await message(RunRequest, request)
    return await events(request, lambda emit: engine(request).run(project(request), asked, emit))


async def _build(request: web.Request) -> web.StreamResponse:
    asked = await message(BuildRequest, request)
    return await events(request, lambda emit: engine(request).images.build(project(request), asked, emit))


async def _check(request: web.Request) -> web.Response:
    return answer({"findings": await engine(request).images.check(await message(BuildRequest, request))})


async def _pull(request: web.Request) -> web.StreamResponse:
    asked = await message(PullRequest, request)
    return await events(request, lambda emit: engine(request).images.pull(project(request), asked, emit))


async def _push(request: web.Request) -> web.StreamResponse:
    asked = await message(PushRequest, request)
    return await events(request, lambda emit: engine(request).images.push(project(request), asked, emit))


async def _toolchain(request: web.Request) -> web.Response:
    asked = await message(ToolchainRequest, request)
    return answer({"containers": await engine(request).images.software.of_project(project(request), asked)})


ROUTES = (
    web.get("/projects", _projects),
    web.post("/projects/{project}/up", _up),
    web.post("/projects/{project}/down", _down),
    web.post("/projects/{project}/{verb:stop|start|restart|kill|rm}", _services),
    web.post("/projects/{project}/run", _run),
    web.post("/projects/{project}/build", _build),
    web.post("/projects/{project}/check", _check),
    web.post("/projects/{project}/pull", _pull),
    web.post("/projects/{project}/push", _push),
    web.post("/projects/{project}/toolchain", _toolchain),
)
