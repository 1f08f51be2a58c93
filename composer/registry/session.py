"""HTTP requests by way of aiohttp; the only module that knows it.

What goes wrong below an answer is told as a `TransportError`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from composer.registry.transport import Answer, Body, TransportError, redacted

_CONNECT_SECONDS = 15.0
_BUFFER = 1 << 18
_SPEAKS_HTTP = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL")


@dataclass(frozen=True, slots=True)
class _Answer:
    response: aiohttp.ClientResponse

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    async def read(self, limit: int) -> bytes:
        data = bytearray()
        async for chunk in self.chunks():
            data += chunk[: limit - len(data)]
            if len(data) >= limit:
                break
        return bytes(data)

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error, str(self.response.url)) from error


class Session:
    """Connections that are kept for the next request; made in a running loop, to be closed there."""

    def __init__(self, silence: float) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=False),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=_CONNECT_SECONDS, sock_read=silence),
            auto_decompress=False,  # a digest is that of the bytes as they are stored
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_BUFFER,
        )

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str = "",
    ) -> AsyncIterator[Answer]:
        """See `Transport.request`."""
        try:
            response = await self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                ssl=tls if tls is not None else True,
                proxy=proxy or None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error, url) from error
        except ValueError as error:
            raise TransportError(f"cannot reach `{redacted(url)}`: {error}", retryable=False) from error
        try:
            yield _Answer(response)
        finally:
            # A body that was not read to its end takes its connection with it.
            response.release() if response.content.at_eof() else response.close()

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()
        # TLS connections say good-bye in the loop's next turns: <https://docs.aiohttp.org/en/stable/client_advanced.html>
        await asyncio.sleep(0)


def _translated(error: Exception, url: str) -> TransportError:
    where = f"cannot reach `{redacted(url)}`"
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error.certificate_error
            no_tls = isinstance(cause, ssl.SSLError) and any(word in str(cause.reason) for word in _SPEAKS_HTTP)
            if no_tls:
                hint = "where it shall be plain HTTP: `plain_http = true` for it in registries.toml"
                return TransportError(f"{where}: it does not speak TLS", hint=hint, retryable=False, no_tls=True)
            return TransportError(
                f"{where}: its certificate is not trusted ({_reason(cause)})",
                hint="name the certificate authority with `ca` for this registry in registries.toml",
                retryable=False,
            )
        case aiohttp.ClientProxyConnectionError():
            return TransportError(f"{where} through the proxy: {_reason(error.os_error)}")
        case aiohttp.ClientConnectorDNSError():
            # No such name stays so; a resolver that did not answer may yet (getaddrinfo(3)).
            again = error.os_error.errno != socket.EAI_NONAME
            return TransportError(f"{where}: the host's name is not known ({_reason(error.os_error)})", retryable=again)
        case aiohttp.ClientConnectorError():
            return TransportError(f"{where}: {_reason(error.os_error)}")
        case TimeoutError():
            return TransportError(f"{where}: it did not answer in time")
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | ConnectionError():
            return TransportError(f"{where}: the connection broke off")
        case aiohttp.InvalidURL():
            return TransportError(f"{where}: that is not a URL", retryable=False)
        case aiohttp.ClientHttpProxyError():
            return TransportError(f"{where}: the proxy says {error.status} {error.message}", retryable=False)
        case _:
            return TransportError(f"{where}: {str(error) or type(error).__name__}")


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, OSError) and error.errno:
        # What asyncio says of a refused connection repeats the address; names that are not found have numbers of their own.
        known = error.errno > 0 and not isinstance(error, socket.gaierror)
        return (os.strerror(error.errno) if known else error.strerror or str(error)).lower()
    return str(error) or type(error).__name__
