"""The HTTP routes of the engine; `api.messages` is their table.

A handler decodes the request, calls one method of `Requests` and encodes what it returns. Every `ComposerError` becomes an
answer; anything else is a bug, is logged with its traceback, and answers with a sentence that says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import web

from composer import __version__
from composer.api.codec import decode, encode
from composer.api.messages import (
    API_VERSION,
    BuildPruneRequest,
    BuildRequest,
    DownRequest,
    Event,
    ExecRequest,
    ImagesRequest,
    PruneRequest,
    PullRequest,
    PushRequest,
    Result,
    RunRequest,
    ServicesRequest,
    ToolchainRequest,
    UpRequest,
    WatchRequest,
)
from composer.engine.requests import Requests
from composer.errors import ComposerError, EngineError
from composer.server import upgrade

log = logging.getLogger("composer.server")

LARGEST_REQUEST = 64 << 20

_requests: web.AppKey[Requests] = web.AppKey("requests", Requests)
_stop: web.AppKey[Callable[[], None]] = web.AppKey("stop", Callable)  # type: ignore[arg-type]


def make_app(requests: Requests, stop: Callable[[], None]) -> web.Application:
    """The application; `stop` is called once the engine was asked to end and has answered."""
    app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[_errors])
    app[_requests] = requests
    app[_stop] = stop
    project = "/projects/{project}"
    app.add_routes(
        [
            web.get("/version", _version),
            web.get("/engine", _status),
            web.post("/engine/stop", _engine_stop),
            web.get("/projects", _projects),
            web.post(f"{project}/up", _up),
            web.post(f"{project}/down", _down),
            web.post(f"{project}/{{verb:stop|start|restart|kill|rm}}", _services),
            web.get(f"{project}/containers", _containers),
            web.get(f"{project}/logs", _logs),
            web.get(f"{project}/events", _events),
            web.post(f"{project}/exec", _exec),
            web.post(f"{project}/build", _build),
            web.post(f"{project}/check", _check),
            web.post(f"{project}/pull", _pull),
            web.post(f"{project}/push", _push),
            web.post(f"{project}/toolchain", _toolchain),
            web.post(f"{project}/run", _run),
            web.post(f"{project}/watch", _watch),
            web.get(f"{project}/watch", _watch_status),
            web.post(f"{project}/watch/stop", _watch_stop),
            web.post(f"{project}/watch/verify", _watch_verify),
            web.post("/containers/{container}/attach", _attach),
            web.post("/containers/{container}/remove", _remove_container),
            web.get("/containers/{container}/wait", _wait),
            web.get("/images", _images),
            web.post("/images/import", _image_import),
            web.post("/images/load", _image_load),
            web.post("/images/pull", _image_pull),
            web.post("/images/push", _image_push),
            web.post("/images/remove", _image_remove),
            web.post("/images/tag", _image_tag),
            web.post("/images/save", _image_save),
            web.post("/images/verify", _image_verify),
            web.post("/images/prune", _image_prune),
            web.post("/build/prune", _build_prune),
            web.post("/images/inspect", _image_inspect),
            web.post("/images/software", _image_software),
            web.get("/disk", _disk),
        ]
    )
    return app


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ComposerError as error:
        return web.json_response({"error": error.to_wire()}, status=409)
    except (web.HTTPException, asyncio.CancelledError):
        raise
    except (KeyError, TypeError, ValueError) as error:
        log.exception("%s %s", request.method, request.path)
        refused = EngineError(f"the engine cannot read this request: {error!r}", hint="do client and engine match?")
        return web.json_response({"error": refused.to_wire()}, status=400)
    except Exception as error:
        return web.json_response({"error": _bug(error, request.path).to_wire()}, status=500)


def _bug(error: Exception, what: str) -> EngineError:
    log.exception("%s", what)
    return EngineError(
        f"the engine made a mistake: {type(error).__name__}: {error}",
        hint="`compose engine logs` has the traceback; please report it",
    )


async def _lines(request: web.Request, items: AsyncIterator[Any]) -> web.StreamResponse:
    """One JSON object a line for as long as `items` has any and the client listens."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    async with aclosing(items) as source:  # type: ignore[type-var]
        with suppress(ConnectionResetError):  # the client has left
            async for item in source:
                await response.write(json.dumps(encode(item)).encode() + b"\n")
            await response.write_eof()
    return response


async def _stream(
    request: web.Request, work: Callable[[Callable[[Event], None]], Awaitable[Result]]
) -> web.StreamResponse:
    """Run `work` and stream the events it emits, then its result. A client that leaves cancels it."""
    queue: asyncio.Queue[Event | Result] = asyncio.Queue()

    async def run() -> None:
        try:
            result = await work(queue.put_nowait)
        except ComposerError as error:
            result = Result(ok=False, error=error.to_wire())
        except Exception as error:
            result = Result(ok=False, error=_bug(error, request.path).to_wire())
        queue.put_nowait(result)

    async def items() -> AsyncIterator[Event | Result]:
        while True:
            item = await queue.get()
            yield item
            if isinstance(item, Result):
                return

    task = asyncio.create_task(run())
    try:
        return await _lines(request, items())
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


async def _body(request: web.Request) -> dict[str, Any]:
    body = await request.json() if request.can_read_body else {}
    if not isinstance(body, dict):
        raise ValueError("a request is a JSON object")
    return body


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"version": __version__, "api": API_VERSION, "pid": os.getpid()})


async def _status(request: web.Request) -> web.Response:
    return web.json_response(encode(await request.app[_requests].looking.status()))


async def _engine_stop(request: web.Request) -> web.StreamResponse:
    force = bool((await _body(request)).get("force"))
    response = await _stream(request, lambda emit: request.app[_requests].stop_everything(force, emit))
    if request.app[_requests].stopping:
        request.app[_stop]()
    return response


async def _projects(request: web.Request) -> web.Response:
    return web.json_response(encode(request.app[_requests].looking.projects()))


async def _up(request: web.Request) -> web.StreamResponse:
    body = decode(UpRequest, await _body(request))
    return await _stream(request, lambda emit: request.app[_requests].up(request.match_info["project"], body, emit))


async def _down(request: web.Request) -> web.StreamResponse:
    body = decode(DownRequest, await _body(request))
    return await _stream(request, lambda emit: request.app[_requests].down(request.match_info["project"], body, emit))


async def _services(request: web.Request) -> web.StreamResponse:
    body = decode(ServicesRequest, await _body(request))
    project, verb = request.match_info["project"], request.match_info["verb"]
    return await _stream(request, lambda emit: request.app[_requests].services(verb, project, body, emit))


async def _containers(request: web.Request) -> web.Response:
    every = request.query.get("all") == "1"
    return web.json_response(encode(request.app[_requests].looking.containers(request.match_info["project"], every)))


async def _logs(request: web.Request) -> web.StreamResponse:
    query = request.query
    entries = request.app[_requests].looking.logs(
        request.match_info["project"],
        services=tuple(query.getall("service", [])),
        tail=int(query["tail"]) if "tail" in query else None,
        since=float(query.get("since", 0)),
        until=float(query["until"]) if "until" in query else None,
        follow=query.get("follow") == "1",
    )
    return await _lines(request, entries)


async def _events(request: web.Request) -> web.StreamResponse:
    return await _lines(request, request.app[_requests].looking.events(request.match_info["project"]))


async def _run(request: web.Request) -> web.StreamResponse:
    body = decode(RunRequest, await _body(request))
    return await _stream(request, lambda emit: request.app[_requests].run(request.match_info["project"], body, emit))


async def _build(request: web.Request) -> web.StreamResponse:
    body = decode(BuildRequest, await _body(request))
    return await _stream(
        request, lambda emit: request.app[_requests].images.build(request.match_info["project"], body, emit)
    )


async def _check(request: web.Request) -> web.Response:
    body = decode(BuildRequest, await _body(request))
    return web.json_response({"findings": encode(await request.app[_requests].images.check(body))})


async def _pull(request: web.Request) -> web.StreamResponse:
    body = decode(PullRequest, await _body(request))
    return await _stream(
        request, lambda emit: request.app[_requests].images.pull(request.match_info["project"], body, emit)
    )


async def _watch(request: web.Request) -> web.StreamResponse:
    body = decode(WatchRequest, await _body(request))
    watching = request.app[_requests].watching
    return await _stream(request, lambda emit: watching.watch(request.match_info["project"], body, emit))


async def _watch_status(request: web.Request) -> web.Response:
    return web.json_response(encode(request.app[_requests].watching.status(request.match_info["project"])))


async def _watch_stop(request: web.Request) -> web.Response:
    return web.json_response(encode(await request.app[_requests].watching.stop(request.match_info["project"])))


async def _watch_verify(request: web.Request) -> web.Response:
    differences = await request.app[_requests].watching.verify(request.match_info["project"])
    return web.json_response({"differences": list(differences)})


async def _push(request: web.Request) -> web.StreamResponse:
    body = decode(PushRequest, await _body(request))
    return await _stream(
        request, lambda emit: request.app[_requests].images.push(request.match_info["project"], body, emit)
    )


async def _exec(request: web.Request) -> web.StreamResponse:
    body = decode(ExecRequest, await _body(request))
    session = await request.app[_requests].exec(request.match_info["project"], body)
    return await upgrade.serve(request, session)


async def _attach(request: web.Request) -> web.StreamResponse:
    body = await _body(request)
    session = await request.app[_requests].attach(
        request.match_info["container"],
        start=bool(body.get("start")),
        stdin=bool(body.get("stdin")),
        logs=bool(body.get("logs", True)),
    )
    return await upgrade.serve(request, session)


async def _remove_container(request: web.Request) -> web.Response:
    body = await _body(request)
    result = await request.app[_requests].remove_container(
        request.match_info["container"], force=bool(body.get("force")), volumes=bool(body.get("volumes"))
    )
    return web.json_response(encode(result))


async def _wait(request: web.Request) -> web.Response:
    return web.json_response({"exit_code": await request.app[_requests].looking.wait(request.match_info["container"])})


async def _images(request: web.Request) -> web.Response:
    return web.json_response(encode(await request.app[_requests].images.pictures.listing()))


async def _image_import(request: web.Request) -> web.Response:
    body = await _body(request)
    reference, image_id = await request.app[_requests].images.pictures.bring_in(
        body["path"], body["reference"], tuple(body.get("changes", ()))
    )
    return web.json_response({"reference": reference, "id": image_id})


async def _image_load(request: web.Request) -> web.Response:
    return web.json_response(
        {"references": await request.app[_requests].images.pictures.load((await _body(request))["path"])}
    )


async def _image_pull(request: web.Request) -> web.StreamResponse:
    body = decode(ImagesRequest, await _body(request))
    return await _stream(request, lambda emit: request.app[_requests].images.pull_images(body, emit))


async def _image_push(request: web.Request) -> web.StreamResponse:
    body = decode(ImagesRequest, await _body(request))
    return await _stream(request, lambda emit: request.app[_requests].images.push_images(body, emit))


async def _image_remove(request: web.Request) -> web.Response:
    body = await _body(request)
    removed = await request.app[_requests].images.pictures.remove(tuple(body["references"]), bool(body.get("force")))
    return web.json_response({"removed": removed})


async def _image_tag(request: web.Request) -> web.Response:
    body = await _body(request)
    await request.app[_requests].images.pictures.tag(body["source"], body["target"])
    return web.json_response({})


async def _image_save(request: web.Request) -> web.Response:
    body = await _body(request)
    surroundings = {str(key): str(value) for key, value in body.get("surroundings", {}).items()}
    await request.app[_requests].images.save_images(tuple(body["references"]), body["path"], surroundings)
    return web.json_response({})


async def _image_verify(request: web.Request) -> web.Response:
    body = await _body(request)
    found = await request.app[_requests].images.pictures.verify(
        tuple(body.get("references", ())), bool(body.get("repair"))
    )
    return web.json_response(
        {"damage": [{"image": each.image, "problem": each.problem, "hint": each.hint} for each in found]}
    )


async def _image_prune(request: web.Request) -> web.Response:
    body = decode(PruneRequest, await _body(request))
    return web.json_response(encode(await request.app[_requests].images.pictures.prune(body)))


async def _image_inspect(request: web.Request) -> web.Response:
    references = tuple((await _body(request))["references"])
    return web.json_response({"images": encode(await request.app[_requests].images.pictures.details(references))})


async def _image_software(request: web.Request) -> web.Response:
    references = tuple((await _body(request))["references"])
    return web.json_response({"images": encode(await request.app[_requests].images.software.of_images(references))})


async def _toolchain(request: web.Request) -> web.Response:
    body = decode(ToolchainRequest, await _body(request))
    found = await request.app[_requests].images.software.of_project(request.match_info["project"], body)
    return web.json_response({"containers": encode(found)})


async def _build_prune(request: web.Request) -> web.Response:
    body = decode(BuildPruneRequest, await _body(request))
    return web.json_response(encode(await request.app[_requests].images.prune_build_cache(body)))


async def _disk(request: web.Request) -> web.Response:
    return web.json_response(encode(await request.app[_requests].images.disk_usage()))
