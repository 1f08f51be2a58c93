"""How a handler of a route reads what it was asked, and answers: with an object, or line by line."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from composer.api.codec import decode, encode
from composer.api.messages import Event, Result
from composer.engine.requests import Requests
from composer.errors import ComposerError, EngineError, HostError
from composer.server import http
from composer.server.http import Answer, Request

log = logging.getLogger("composer.server")

EngineHandler = Callable[[Requests, Request], Awaitable[Answer | None]]
"""Answers a request by what the engine says."""

T = TypeVar("T")


def project(request: Request) -> str:
    """The project that a request names in its path."""
    return request.places["project"]


def message(kind: type[T], request: Request) -> T:
    """A request's body as one of `api.messages`. Raises ValueError, KeyError or TypeError for what is none."""
    return decode(kind, request.json())


def answer(value: Any) -> Answer:
    """A message, or a container of some, as JSON."""
    return http.answer(encode(value))


async def lines(request: Request, items: AsyncIterator[Any]) -> None:
    """One JSON object a line for as long as `items` has any and the client listens."""
    async with aclosing(items) as source:  # type: ignore[type-var]
        await _several(request, ([item] async for item in source))


async def events(request: Request, work: Callable[[Callable[[Event], None]], Awaitable[Result]]) -> None:
    """Run `work` and stream the events it emits, then its result. A client that leaves cancels it, and it ends before we do."""
    queue: asyncio.Queue[Event | Result] = asyncio.Queue()

    async def run() -> None:
        try:
            result = await work(queue.put_nowait)
        except ComposerError as error:
            result = Result(ok=False, error=error.to_wire())
        except Exception as error:
            result = Result(ok=False, error=mistake(error, request.path).to_wire())
        queue.put_nowait(result)

    async def batches() -> AsyncIterator[list[Event | Result]]:
        batch: list[Event | Result] = []
        while not (batch and isinstance(batch[-1], Result)):
            batch = [await queue.get()]
            while not queue.empty():
                batch.append(queue.get_nowait())
            yield batch

    task = asyncio.create_task(run())
    try:
        await _several(request, batches())
    finally:
        while not task.done():
            task.cancel()  # once more, where this request is cancelled again meanwhile
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])


async def _several(request: Request, batches: AsyncIterator[list[Any]]) -> None:
    """Objects as lines; what comes at once is sent at once, so that the client is not woken for each."""
    request.connection.begin("application/x-ndjson")
    async with aclosing(batches) as source:  # type: ignore[type-var]
        with suppress(ConnectionResetError):  # the client has left
            async for batch in source:
                await request.connection.send(b"".join(json.dumps(encode(item)).encode() + b"\n" for item in batch))
            request.connection.finish()


def mistake(error: Exception, what: str) -> ComposerError:
    """Log an error that nobody explained, with its traceback; what the client is told of it."""
    log.exception("%s", what)
    return HostError.of(error) or EngineError(
        f"the engine made a mistake: {type(error).__name__}: {error}",
        hint="`compose engine logs` has the traceback; please report it",
    )
