"""How a handler of a route reads what it was asked, and answers: with an object, or line by line."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from aiohttp import web

from composer.api.codec import decode, encode
from composer.api.messages import Event, Result
from composer.engine.requests import Requests
from composer.errors import ComposerError, EngineError

log = logging.getLogger("composer.server")

REQUESTS: web.AppKey[Requests] = web.AppKey("requests", Requests)
"""Who answers, of an application."""

T = TypeVar("T")


def engine(request: web.Request) -> Requests:
    """Who answers a request."""
    return request.app[REQUESTS]


def project(request: web.Request) -> str:
    """The project that a request names in its path."""
    return request.match_info["project"]


async def body(request: web.Request) -> dict[str, Any]:
    """A request's JSON object; none is an empty one. Raises ValueError for what is neither."""
    found = await request.json() if request.can_read_body else {}
    if not isinstance(found, dict):
        raise ValueError("a request is a JSON object")
    return found


async def message(kind: type[T], request: web.Request) -> T:
    """A request's body as one of `api.messages`. Raises ValueError, KeyError or TypeError for what is none."""
    return decode(kind, await body(request))


def answer(value: Any) -> web.Response:
    """A message, or a container of some, as JSON."""
    return web.json_response(encode(value))


async def lines(request: web.Request, items: AsyncIterator[Any]) -> web.StreamResponse:
    """One JSON object a line for as long as `items` has any and the client listens."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    async with aclosing(items) as source:  # type: ignore[type-var]
        with suppress(ConnectionResetError):  # the client has left
            async for item in source:
                await response.write(json.dumps(encode(item)).encode() + b"\n")
            await response.write_eof()
    return response


async def events(
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
            result = Result(ok=False, error=mistake(error, request.path).to_wire())
        queue.put_nowait(result)

    async def items() -> AsyncIterator[Event | Result]:
        while True:
            item = await queue.get()
            yield item
            if isinstance(item, Result):
                return

    task = asyncio.create_task(run())
    try:
        return await lines(request, items())
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


def mistake(error: Exception, what: str) -> EngineError:
    """Log an error that is a bug of ours, with its traceback; what the client is told of it."""
    log.exception("%s", what)
    return EngineError(
        f"the engine made a mistake: {type(error).__name__}: {error}",
        hint="`compose engine logs` has the traceback; please report it",
    )
