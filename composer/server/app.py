"""What answers the engine's requests: the routes of `server.routes`, and what becomes of errors.

Every `ComposerError` becomes an answer; anything else is a bug, is logged with its traceback, and answers with a sentence
that says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from composer.engine.requests import Requests
from composer.errors import ComposerError, EngineError
from composer.server.answers import EngineHandler, mistake
from composer.server.http import Answer, Handler, Request, answer
from composer.server.routes import containers, engine, images, projects, watches
from composer.server.succession import Succession
from composer.server.table import Middleware, Table, with_middleware

log = logging.getLogger("composer.server")


def make_handler(requests: Requests, stop: Callable[[], None], succession: Succession, *around: Middleware) -> Handler:
    """All routes, inside of `around`; `stop` is called once the engine was asked to end and has answered."""

    def by_engine(handler: EngineHandler) -> Handler:
        return lambda request: handler(requests, request)

    table = {
        name: by_engine(handler)
        for part in (engine, projects, containers, images, watches)
        for name, handler in part.ROUTES.items()
    }
    table["POST /engine/stop"] = lambda request: engine.stop(requests, request, stop)
    table["POST /engine/replace"] = succession.replace
    return with_middleware(Table(table), *around, succession.middleware, _errors)


async def _errors(request: Request, handler: Handler) -> Answer | None:
    try:
        return await handler(request)
    except ComposerError as error:
        return answer({"error": error.to_wire()}, 409)
    except (ConnectionResetError, asyncio.CancelledError):
        raise
    except (KeyError, TypeError, ValueError) as error:
        log.exception("%s %s", request.method, request.path)
        refused = EngineError(f"the engine cannot read this request: {error!r}", hint="do client and engine match?")
        return answer({"error": refused.to_wire()}, 400)
    except Exception as error:
        return answer({"error": mistake(error, request.path).to_wire()}, 500)
