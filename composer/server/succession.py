"""An engine makes way for one of other code, which a client brings: nothing is lost, and nobody is cut short.

A client says in each request which edition it is. One that is of other code than ours gets 426, and asks us to make way
(`POST /engine/replace`, with the command that starts its engine). From then on new requests get 503, to be asked again of our
successor. What is under way comes to its end first, and whoever waits is told what that is. Then streams are broken off, which
their clients take up where they were, and we let go of records, socket and lock. Execs and attached containers cannot be taken
up: this process goes on as their relay until the last of them is over, and does nothing else.

A client that is older than we are, or that meets an engine for the second time, is served as long as it speaks our API.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from composer.api.messages import API_VERSION, EDITION_HEADER, MAKES_WAY, OTHER_EDITION
from composer.edition import ANY, Edition, edition
from composer.errors import EngineError
from composer.server.http import Answer, Handler, Request, answer
from composer.server.lifetime import Lifetime

_ALWAYS = frozenset({"/version", "/engine", "/engine/stop", "/engine/replace"})
"""What an engine of any edition answers."""
_STREAMS = ("/events", "/watch")
_SESSIONS = ("/exec", "/attach")
_ANSWER_WITHIN = 1.0
"""Seconds until whoever waits for us is told what it waits for."""


class Succession:
    """Counts what is under way, and decides who is served."""

    def __init__(
        self,
        lifetime: Lifetime,
        is_starting: Callable[[], bool],
        restarted: Callable[[], Iterable[str]],
        unfit: Mapping[str, str],
    ) -> None:
        """`is_starting` tells whether an attached container is just being started.

        `restarted` names the projects whose restart is carried on, as nobody else does it. `unfit` are the editions of engines
        that did not come up when we made way, and why.
        """
        self._unfit = unfit
        self.edition = ""
        """Of the engine for which we make way."""
        self._lifetime = lifetime
        self._is_starting = is_starting
        self._restarted = restarted
        self._ourselves = edition(API_VERSION)
        self._work: Counter[str] = Counter()
        self._streams: list[Request] = []
        self._sessions: set[asyncio.Event] = set()
        self._drained = asyncio.Event()
        self._successor: tuple[str, ...] = ()
        self._draining: asyncio.Task[None] | None = None

    async def middleware(self, request: Request, handler: Handler) -> Answer | None:
        """Serve those whom we can serve; count them by how they end."""
        if request.path in _ALWAYS:
            return await handler(request)
        if refusal := self._refusal(request):
            return refusal
        if _is_stream(request):
            self._streams.append(request)
            try:
                return await handler(request)
            finally:
                self._streams.remove(request)
        if request.path.endswith(_SESSIONS):
            over = asyncio.Event()
            self._sessions.add(over)
            try:
                return await handler(request)
            finally:
                self._sessions.discard(over)
                over.set()
        what = _describe(request)
        self._work[what] += 1
        try:
            return await handler(request)
        finally:
            self._work[what] -= 1
            if not self._work[what]:
                del self._work[what]

    async def replace(self, request: Request) -> Answer:
        """`POST /engine/replace`: make way; answers, a second later at most, what is still waited for."""
        command = request.json().get("command", ())
        if command and self._draining is None:
            self.edition = request.headers.get(EDITION_HEADER.lower(), "")
            self._successor = tuple(str(word) for word in command)
            self._draining = asyncio.create_task(self._drain())
        if self._draining is not None:
            await asyncio.wait([self._draining], timeout=_ANSWER_WITHIN)
        return answer({"making_way": self._draining is not None, "waiting_for": self._under_way()})

    def break_off(self) -> None:
        """Cut the streams: an orderly end would tell their clients that there is nothing more."""
        for request in self._streams:
            request.connection.abort()

    async def sessions_over(self) -> None:
        """Return when nobody is attached any more."""
        while self._sessions:
            await next(iter(self._sessions)).wait()

    def _refusal(self, request: Request) -> Answer | None:
        if self._draining is not None:
            return _refuse(MAKES_WAY, EngineError("the engine is making way for another", hint="try again"))
        theirs = Edition.parse(request.headers.get(EDITION_HEADER.lower(), ""))
        if theirs is None or theirs == self._ourselves:
            return None
        if theirs.api == API_VERSION and (theirs.checksum == ANY or theirs.precedes(self._ourselves)):
            return None
        hint = "`compose engine stop` ends it; the next command starts one of its own"
        words = f"the engine is of composer {self._ourselves.version}, this command of {theirs.version}"
        if unfit := self._unfit.get(str(theirs)):
            return _refuse(OTHER_EDITION, EngineError(words, hint=hint), unfit=unfit)
        # Not a word of how to replace us for one that is older: our records may be beyond its understanding.
        may_replace = theirs.checksum != ANY and not theirs.precedes(self._ourselves)
        return _refuse(OTHER_EDITION, EngineError(words, hint=hint), may_replace=may_replace)

    async def _drain(self) -> None:
        while self._under_way() or self._is_starting():  # noqa: ASYNC110  some counters, looked at for a moment
            await asyncio.sleep(0.02)
        self._lifetime.give_way(self._successor)

    def _under_way(self) -> list[str]:
        return sorted([*self._work, *(f"`restart` of `{project}`" for project in self._restarted())])


def _refuse(status: int, error: EngineError, **more: bool | str) -> Answer:
    return answer({"error": error.to_wire(), **more}, status)


def _is_stream(request: Request) -> bool:
    """Whether it goes on for as long as its client likes, and may be broken off at any point."""
    path = request.path
    follows = path.endswith("/logs") and request.last("follow") == "1"
    return follows or path.endswith(_STREAMS) or (path.startswith("/containers/") and path.endswith("/wait"))


def _describe(request: Request) -> str:
    """What a request does, and who waits for it: `up` of `shop` (process 4711)."""
    first, *rest = request.path.strip("/").split("/")
    what = (
        f"`{rest[-1]}` of `{rest[0]}`"
        if first == "projects" and len(rest) > 1
        else f"`{' '.join([first, *rest[-1:]])}`"
    )
    peer = request.connection.peer
    return f"{what} (process {peer})" if peer else what
