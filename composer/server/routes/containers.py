"""Containers: what they are, what they say, and the processes in them."""

from __future__ import annotations

from aiohttp import web

from composer.api.messages import ExecRequest
from composer.server import upgrade
from composer.server.answers import answer, body, engine, lines, message, project


async def _containers(request: web.Request) -> web.Response:
    every = request.query.get("all") == "1"
    return answer(engine(request).looking.containers(project(request), every))


async def _logs(request: web.Request) -> web.StreamResponse:
    query = request.query
    entries = engine(request).looking.logs(
        project(request),
        services=tuple(query.getall("service", [])),
        tail=int(query["tail"]) if "tail" in query else None,
        since=float(query.get("since", 0)),
        until=float(query["until"]) if "until" in query else None,
        follow=query.get("follow") == "1",
    )
    return await lines(request, entries)


async def _events(request: web.Request) -> web.StreamResponse:
    return await lines(request, engine(request).looking.events(project(request)))


async def _exec(request: web.Request) -> web.StreamResponse:
    session = await engine(request).exec(project(request), await message(ExecRequest, request))
    return await upgrade.serve(request, session)


async def _attach(request: web.Request) -> web.StreamResponse:
    asked = await body(request)
    session = await engine(request).attach(
        request.match_info["container"],
        start=bool(asked.get("start")),
        stdin=bool(asked.get("stdin")),
        logs=bool(asked.get("logs", True)),
    )
    return await upgrade.serve(request, session)


async def _remove(request: web.Request) -> web.Response:
    asked = await body(request)
    result = await engine(request).remove_container(
        request.match_info["container"], force=bool(asked.get("force")), volumes=bool(asked.get("volumes"))
    )
    return answer(result)


async def _wait(request: web.Request) -> web.Response:
    return answer({"exit_code": await engine(request).looking.wait(request.match_info["container"])})


ROUTES = (
    web.get("/projects/{project}/containers", _containers),
    web.get("/projects/{project}/logs", _logs),
    web.get("/projects/{project}/events", _events),
    web.post("/projects/{project}/exec", _exec),
    web.post("/containers/{container}/attach", _attach),
    web.post("/containers/{container}/remove", _remove),
    web.get("/containers/{container}/wait", _wait),
)
