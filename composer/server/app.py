"""The engine's HTTP application: the routes of `server.routes`, and what becomes of errors.

Every `ComposerError` becomes an answer; anything else is a bug, is logged with its traceback, and answers with a sentence
that says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from composer.engine.requests import Requests
from composer.errors import ComposerError, EngineError
from composer.server.answers import REQUESTS, mistake
from composer.server.routes import containers, engine, images, projects, watches
from composer.server.succession import Succession

log = logging.getLogger("composer.server")

LARGEST_REQUEST = 64 << 20


def make_app(requests: Requests, stop: Callable[[], None], succession: Succession) -> web.Application:
    """The application; `stop` is called once the engine was asked to end and has answered."""
    app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[succession.middleware, _errors])
    app[REQUESTS] = requests
    app[engine.STOP] = stop
    for part in (engine, projects, containers, images, watches):
        app.add_routes(part.ROUTES)
    app.router.add_post("/engine/replace", succession.replace)
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
        return web.json_response({"error": mistake(error, request.path).to_wire()}, status=500)
