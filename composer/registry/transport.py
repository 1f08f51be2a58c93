"""HTTP, without opinions: one request, one answer, no redirects, no retries; `session` carries it out.

What goes wrong below an answer is a `TransportError`, which says whether trying again may help, and whether the other
side seems to speak HTTP where TLS was expected.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from composer.errors import RegistryError

if TYPE_CHECKING:
    from composer.registry.session import Session

Body = bytes | AsyncIterable[bytes]

_SILENCE_SECONDS = 60.0


class TransportError(RegistryError):
    """No answer, or one that broke off."""

    def __init__(self, message: str, *, hint: str = "", retryable: bool = True, no_tls: bool = False) -> None:
        super().__init__(message, hint=hint, retryable=retryable)
        self.no_tls = no_tls
        """The other side answered, but not in TLS."""


class Answer(Protocol):
    """An answer whose body has not been read yet."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in any case."""

    async def read(self, limit: int) -> bytes:
        """The body, of which at most `limit` bytes are taken."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it comes. Raises TransportError where it ends before its `Content-Length`."""


class Transport(Protocol):
    """How requests are sent."""

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str = "",
    ) -> AbstractAsyncContextManager[Answer]:
        """Send a request; the answer is good inside the context. Raises TransportError."""


class HttpTransport:
    """Requests over the network; `close` it when done."""

    def __init__(self, silence: float = _SILENCE_SECONDS) -> None:
        """`silence` is how many seconds the other side may say nothing."""
        self._silence = silence
        self._session: Session | None = None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str = "",
    ) -> AbstractAsyncContextManager[Answer]:
        """See `Transport.request`."""
        if self._session is None:
            # Imported here: aiohttp would be a fifth of the engine's memory, and many an engine never asks a registry.
            from composer.registry.session import Session

            self._session = Session(self._silence)
        return self._session.request(method, url, headers, body, tls, proxy)

    async def close(self) -> None:
        """End all connections; idempotent, and a request after it opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def redacted(url: str) -> str:
    """`url` without what may be secret: a user, a password, the query of a signed address."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
