"""Projects as a whole, and the services in them."""

from __future__ import annotations

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
from composer.engine.requests import Requests
from composer.server.answers import EngineHandler, answer, events, message, project
from composer.server.http import Answer, Request


async def _projects(engine: Requests, request: Request) -> Answer:
    return answer(engine.looking.projects())


async def _up(engine: Requests, request: Request) -> None:
    asked = message(UpRequest, request)
    await events(request, lambda emit: engine.up(project(request), asked, emit))


async def _down(engine: Requests, request: Request) -> None:
    asked = message(DownRequest, request)
    await events(request, lambda emit: engine.down(project(request), asked, emit))


async def _services(engine: Requests, request: Request) -> None:
    asked, verb = message(ServicesRequest, request), request.path.rpartition("/")[2]
    await events(request, lambda emit: engine.services(verb, project(request), asked, emit))


async def _run(engine: Requests, request: Request) -> None:
    asked = message(RunRequest, request)
    await events(request, lambda emit: engine.run(project(request), asked, emit))


async def _build(engine: Requests, request: Request) -> None:
    asked = message(BuildRequest, request)
    await events(request, lambda emit: engine.images.build(project(request), asked, emit))


async def _check(engine: Requests, request: Request) -> Answer:
    return answer({"findings": await engine.images.check(message(BuildRequest, request))})


async def _pull(engine: Requests, request: Request) -> None:
    asked = message(PullRequest, request)
    await events(request, lambda emit: engine.images.pull(project(request), asked, emit))


async def _push(engine: Requests, request: Request) -> None:
    asked = message(PushRequest, request)
    await events(request, lambda emit: engine.images.push(project(request), asked, emit))


async def _toolchain(engine: Requests, request: Request) -> Answer:
    asked = message(ToolchainRequest, request)
    return answer({"containers": await engine.images.software.of_project(project(request), asked)})


ROUTES: dict[str, EngineHandler] = {
    "GET /projects": _projects,
    "POST /projects/{project}/up": _up,
    "POST /projects/{project}/down": _down,
    "POST /projects/{project}/stop": _services,
    "POST /projects/{project}/start": _services,
    "POST /projects/{project}/restart": _services,
    "POST /projects/{project}/kill": _services,
    "POST /projects/{project}/rm": _services,
    "POST /projects/{project}/run": _run,
    "POST /projects/{project}/build": _build,
    "POST /projects/{project}/check": _check,
    "POST /projects/{project}/pull": _pull,
    "POST /projects/{project}/push": _push,
    "POST /projects/{project}/toolchain": _toolchain,
}
