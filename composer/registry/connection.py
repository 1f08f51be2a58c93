"""One endpoint of a registry, spoken to: the right scheme, authorisation, redirects.

The first request asks for `/v2/`, which says whether the endpoint speaks the protocol and what it wants to let us in
(distribution specification, "Determining Support"). What it said then is remembered by the process that asks again and
again, and believed until a request is refused. A redirect never leads to another scheme, and what authorises us goes
to no other host than the one that asked for it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from composer import __version__
from composer.clock import Clock
from composer.errors import RegistryError
from composer.registry.access import Access
from composer.registry.authorize import Anonymous, Authorizer, Scopes, choose_authorizer
from composer.registry.challenge import Challenge, parse_challenges
from composer.registry.credentials import Credentials
from composer.registry.endpoints import Endpoint
from composer.registry.failures import LARGEST_BODY, refusal
from composer.registry.retry import persistently
from composer.registry.transport import Answer, Body, Transport, TransportError, redacted

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_LARGEST_TOKEN = 1 << 20
_OK = frozenset({200})


@dataclass(frozen=True, slots=True)
class Manner:
    """How an endpoint wants to be spoken to."""

    scheme: str
    challenges: tuple[Challenge, ...]


Manners = MutableMapping[Endpoint, Manner]
"""What endpoints said the last time."""


class Connection:
    """Sends requests to `endpoint`; what failed is told as "`what`: why", with `hint` where there is no answer at all."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        access: Access,
        clock: Clock,
        what: str,
        hint: str = "",
        manners: Manners | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.what = what
        self.clock = clock
        self._hint = hint
        self._transport = transport
        self._access = access
        self._authorizer: Authorizer = Anonymous()
        self._scheme = ""
        self._manners: Manners = {} if manners is None else manners
        self._from_memory = False
        """Whether nothing was heard yet that agrees with what we remember."""
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Find out how the endpoint wants to be spoken to; idempotent. Raises RegistryError."""
        async with self._opening:
            if self._scheme:
                return
            if (known := self._manners.get(self.endpoint)) is not None:
                credentials = await asyncio.to_thread(self._access.credentials, self.endpoint.registry)
                self._use(known, credentials)
                self._from_memory = True
            else:
                await persistently(self.clock, self._ping)

    def url(self, path: str) -> str:
        """The address of a path below the endpoint, which has been opened."""
        return urljoin(f"{self._scheme}://{self.endpoint.host}/", path)

    @asynccontextmanager
    async def send(
        self,
        method: str,
        path: str,
        *,
        scopes: Scopes,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        expect: frozenset[int] = _OK,
    ) -> AsyncIterator[Answer]:
        """Send a request to a path below the endpoint, or to an address that it gave; the answer has a status of `expect`.

        A token that has expired meanwhile is replaced once. Raises RegistryError for any other status.
        """
        await self.open()
        if self._from_memory:
            try:
                async with self._send(method, path, scopes, headers, body, expect) as answer:
                    self._from_memory = False
                    yield answer
                    return
            except RegistryError:
                if not self._from_memory:
                    raise
                await self._forget()
        async with self._send(method, path, scopes, headers, body, expect) as answer:
            yield answer

    async def _forget(self) -> None:
        """Ask the endpoint anew how it wants to be spoken to. Raises RegistryError."""
        async with self._opening:
            if self._from_memory:
                self._from_memory, self._scheme = False, ""
                self._manners.pop(self.endpoint, None)
        await self.open()

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        scopes: Scopes,
        headers: Mapping[str, str] | None,
        body: Body | None,
        expect: frozenset[int],
    ) -> AsyncIterator[Answer]:
        url = self.url(path)
        for last in (False, True):
            async with AsyncExitStack() as stack:
                given = {**(headers or {}), "User-Agent": f"composer/{__version__}"}
                if authorization := await self._authorizer.header(scopes):
                    given["Authorization"] = authorization
                answer = await self._follow(stack, method, url, given, body)
                if answer.status in expect:
                    try:
                        yield answer
                    except TransportError as error:
                        raise self._explained(error) from error.__cause__
                    return
                # A body that streams cannot be sent a second time; whoever streams has asked for something before.
                again = answer.status == 401 and not last and isinstance(body, bytes | None)
                if not (again and self._authorizer.refused(scopes)):
                    raise await self._refusal(answer)

    async def _ping(self) -> None:
        credentials = await asyncio.to_thread(self._access.credentials, self.endpoint.registry)
        *tried, last = self.endpoint.schemes
        for scheme in (*tried, last):
            url = f"{scheme}://{self.endpoint.host}/v2/"
            try:
                async with AsyncExitStack() as stack:
                    answer = await self._follow(stack, "GET", url, {"User-Agent": f"composer/{__version__}"}, None)
                    challenges = parse_challenges(answer.headers.get("WWW-Authenticate", ""))
                    if answer.status not in (200, 401, 403, 404):
                        raise await self._refusal(answer)
            except TransportError as error:
                if error.no_tls and scheme != last:
                    continue
                raise
            self._manners[self.endpoint] = manner = Manner(scheme, challenges)
            self._use(manner, credentials)
            return

    def _use(self, manner: Manner, credentials: Credentials | None) -> None:
        self._scheme = manner.scheme
        self._authorizer = choose_authorizer(manner.challenges, credentials, self._fetch_token, self.clock)

    async def _follow(
        self, stack: AsyncExitStack, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> Answer:
        """The first answer that is no redirect."""
        origin = urlsplit(url)
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await stack.enter_async_context(self._request(method, url, headers, body))
            location = answer.headers.get("Location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            url = urljoin(url, location)
            target = urlsplit(url)
            if target.scheme != origin.scheme or not target.hostname:
                raise RegistryError(
                    f"{self.what}: `{self.endpoint.registry}` sends us on to `{redacted(url)}`, which is another scheme"
                )
            if not isinstance(body, bytes | None):
                raise RegistryError(f"{self.what}: `{self.endpoint.registry}` moves while content is sent to it")
            if target.netloc != origin.netloc:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            if answer.status == 303:
                method, body = "GET", None
        raise RegistryError(f"{self.what}: `{self.endpoint.registry}` sends us in circles")

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> AsyncIterator[Answer]:
        proxy = self._access.proxy(url)
        async with AsyncExitStack() as stack:
            request = self._transport.request(method, url, headers, body, self._tls(url), proxy)
            try:
                answer = await stack.enter_async_context(request)
            except TransportError as error:
                raise self._explained(error) from error.__cause__
            yield answer

    def _tls(self, url: str) -> ssl.SSLContext | None:
        """The endpoint's authority is trusted wherever it sends us; our own certificate is shown to it alone."""
        parts = urlsplit(url)
        if parts.scheme != "https":
            return None
        return self.endpoint.tls(identify=parts.netloc == self.endpoint.host)

    def _explained(self, error: TransportError) -> TransportError:
        """The error, beginning with what could not be done, and with something to try."""
        error.message = f"{self.what}: {error.message}"
        error.hint = error.hint or self._hint
        return error

    async def _refusal(self, answer: Answer) -> RegistryError:
        try:
            body = await answer.read(LARGEST_BODY)
        except TransportError:
            body = b""  # the status says enough
        error = refusal(answer.status, answer.headers, body, self.what, self.endpoint.registry)
        if answer.status == 401 and self._authorizer.credentials:
            error.message = f"{self.what}: `{self.endpoint.registry}` does not accept the credentials for it"
            error.hint = f"`compose login {self.endpoint.registry}` with others"
        return error

    async def _fetch_token(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """Ask a token server; over plain HTTP only where the registry itself is spoken to like that."""
        if urlsplit(url).scheme not in ("https", self._scheme):
            raise RegistryError(f"{self.what}: `{redacted(url)}`, where tokens are to be had, is no address of TLS")

        async def ask() -> bytes:
            async with AsyncExitStack() as stack:
                answer = await self._follow(stack, method, url, headers, body)
                if answer.status != 200:
                    raise await self._refusal(answer)
                return await answer.read(_LARGEST_TOKEN)

        return await persistently(self.clock, ask)
