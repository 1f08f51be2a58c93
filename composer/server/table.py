"""Which handler answers a request, and what lies around all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from composer.server.http import Answer, Handler, Request

Middleware = Callable[[Request, Handler], Awaitable[Answer | None]]
"""Calls the handler, or answers in its place."""


class Table:
    """Handlers by method and path; `/projects/{project}/up` has a place in it, for one part of a path."""

    def __init__(self, table: dict[str, Handler]) -> None:
        """Keys are like `GET /projects/{project}/logs`."""
        self._routes = [(method, path.split("/"), handler) for (method, path), handler in map(_split, table.items())]

    async def __call__(self, request: Request) -> Answer | None:
        """Have the request handled: 404 for a path that is nothing of ours, 405 for one that is, by another method."""
        parts = request.path.split("/")
        known = False
        for method, route, handler in self._routes:
            if (places := _match(route, parts)) is not None:
                if method == request.method:
                    request.places = places
                    return await handler(request)
                known = True
        return Answer(405 if known else 404, b"no such request\n", "text/plain; charset=utf-8")


def with_middleware(handler: Handler, *middlewares: Middleware) -> Handler:
    """`handler` inside of these, the first outermost."""
    for middleware in reversed(middlewares):
        handler = _wrap(middleware, handler)
    return handler


def _wrap(middleware: Middleware, handler: Handler) -> Handler:
    return lambda request: middleware(request, handler)


def _split(entry: tuple[str, Handler]) -> tuple[list[str], Handler]:
    return entry[0].split(" "), entry[1]


def _match(route: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(route) != len(parts):
        return None
    places = {}
    for wanted, part in zip(route, parts, strict=True):
        if wanted.startswith("{"):
            places[wanted[1:-1]] = unquote(part)
        elif wanted != part:
            return None
    return places
