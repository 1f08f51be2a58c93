"""Containers: what they are, what they say, and the processes in them."""

from __future__ import annotations

from composer.api.messages import ExecRequest
from composer.engine.requests import Requests
from composer.server import upgrade
from composer.server.answers import EngineHandler, answer, lines, message, project
from composer.server.http import Answer, Request


async def _containers(engine: Requests, request: Request) -> Answer:
    every = request.last("all") == "1"
    return answer(engine.looking.containers(project(request), every))


async def _logs(engine: Requests, request: Request) -> None:
    tail, until = request.last("tail"), request.last("until")
    entries = engine.looking.logs(
        project(request),
        services=tuple(request.query.get("service", ())),
        tail=int(tail) if tail else None,
        since=float(request.last("since", "0")),
        until=float(until) if until else None,
        follow=request.last("follow") == "1",
    )
    await lines(request, entries)


async def _events(engine: Requests, request: Request) -> None:
    await lines(request, engine.looking.events(project(request)))


async def _exec(engine: Requests, request: Request) -> None:
    session = await engine.single.exec(project(request), message(ExecRequest, request))
    await upgrade.serve(request, session)


async def _attach(engine: Requests, request: Request) -> None:
    asked = request.json()
    session = await engine.single.attach(
        request.places["container"],
        start=bool(asked.get("start")),
        stdin=bool(asked.get("stdin")),
        logs=bool(asked.get("logs", True)),
    )
    await upgrade.serve(request, session)


async def _remove(engine: Requests, request: Request) -> Answer:
    asked = request.json()
    result = await engine.single.remove(
        request.places["container"], force=bool(asked.get("force")), volumes=bool(asked.get("volumes"))
    )
    return answer(result)


async def _wait(engine: Requests, request: Request) -> Answer:
    return answer({"exit_code": await engine.looking.wait(request.places["container"])})


ROUTES: dict[str, EngineHandler] = {
    "GET /projects/{project}/containers": _containers,
    "GET /projects/{project}/logs": _logs,
    "GET /projects/{project}/events": _events,
    "POST /projects/{project}/exec": _exec,
    "POST /containers/{container}/attach": _attach,
    "POST /containers/{container}/remove": _remove,
    "GET /containers/{container}/wait": _wait,
}
