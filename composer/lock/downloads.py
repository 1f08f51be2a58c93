"""What a URL brings, by its checksum: fetched once, hashed on the way, kept nowhere.

Spoken over the registry client's transport. Redirects are followed, but never from TLS to plain HTTP, and nothing that
authorises the user is sent along.
"""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from urllib.parse import urljoin, urlsplit

from composer import __version__
from composer.clock import Clock
from composer.errors import RegistryError
from composer.oci.digest import Digest
from composer.registry.access import Access
from composer.registry.failures import RETRYABLE_STATUSES
from composer.registry.retry import persistently
from composer.registry.transport import Transport, TransportError, redacted

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_LARGEST = 32 << 30
_HINT = "check the URL and the network; `ADD --checksum=sha256:…` in the Dockerfile needs nobody to be asked"


async def checksum_of(url: str, access: Access, transport: Transport, clock: Clock) -> Digest:
    """The checksum of what `url` brings now. Raises RegistryError where it brings nothing."""

    async def attempt() -> Digest:
        try:
            return await _fetch(url, access, transport)
        except TransportError as error:
            raise RegistryError(
                f"cannot lock `{redacted(url)}`: {error.message}", hint=error.hint or _HINT, retryable=error.retryable
            ) from error

    return await persistently(clock, attempt)


async def _fetch(url: str, access: Access, transport: Transport) -> Digest:
    what = f"cannot lock `{redacted(url)}`"
    headers = {"User-Agent": f"composer/{__version__}"}
    async with AsyncExitStack() as stack:
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await stack.enter_async_context(transport.request("GET", url, headers, proxy=access.proxy(url)))
            location = answer.headers.get("Location", "")
            if answer.status not in _REDIRECTS or not location:
                break
            before, url = urlsplit(url), urljoin(url, location)
            if urlsplit(url).scheme != before.scheme and urlsplit(url).scheme != "https":
                raise RegistryError(f"{what}: the server sends us on to `{redacted(url)}`, which is another scheme")
        else:
            raise RegistryError(f"{what}: the server sends us in circles")
        if answer.status != 200:
            retryable = answer.status in RETRYABLE_STATUSES
            raise RegistryError(
                f"{what}: the server answered with status {answer.status}",
                hint=_HINT,
                status=answer.status,
                retryable=retryable,
            )
        state, size = hashlib.sha256(), 0
        async for chunk in answer.chunks():
            state.update(chunk)
            size += len(chunk)
            if size > _LARGEST:
                raise RegistryError(f"{what}: it is larger than {_LARGEST} bytes")
        return Digest("sha256", state.hexdigest())
