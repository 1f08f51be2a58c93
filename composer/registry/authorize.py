"""What lets a request in: small classes, one for each way a registry may ask for.

* `Anonymous`  nothing; escalates to one of the others when the registry challenges
* `Basic`      user and password with every request (RFC 7617)
* `Bearer`     a token for a scope, fetched from the address that the challenge names and again when it has expired
  <https://distribution.github.io/distribution/spec/auth/token/>, with an identity token by
  <https://distribution.github.io/distribution/spec/auth/oauth/>
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from composer.clock import Clock
from composer.errors import RegistryError
from composer.registry.challenge import Challenge
from composer.registry.credentials import Credentials

Scopes = tuple[str, ...]
"""What a token is for: `repository:library/redis:pull`."""
Fetch = Callable[[str, str, Mapping[str, str], bytes | None], Awaitable[bytes]]
"""Method, URL, headers and body -> the body of the answer; raises RegistryError."""

_CLIENT = "composer"
_SHORTEST_LIFE = 60.0
_MARGIN = 10.0
"""Seconds before its end at which a token is not used any more."""


class Authorizer(Protocol):
    """Knows the `Authorization` header of a request."""

    credentials: Credentials | None

    async def header(self, scopes: Scopes) -> str:
        """The header's value, empty for none. Raises RegistryError where it cannot be had."""

    def refused(self, scopes: Scopes) -> bool:
        """The registry answered 401 to the header; whether another attempt makes sense."""


class Anonymous:
    """Sends nothing."""

    credentials: Credentials | None = None

    async def header(self, scopes: Scopes) -> str:
        """Nothing."""
        return ""

    def refused(self, scopes: Scopes) -> bool:
        """There is nothing else to send."""
        return False


class Basic:
    """Sends user and password."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials: Credentials | None = credentials
        self._header = _basic(credentials)

    async def header(self, scopes: Scopes) -> str:
        """User and password."""
        return self._header

    def refused(self, scopes: Scopes) -> bool:
        """They will not be right the next time."""
        return False


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: float


class Bearer:
    """Sends a token, one for each set of scopes."""

    def __init__(self, challenge: Challenge, credentials: Credentials | None, fetch: Fetch, clock: Clock) -> None:
        self.credentials = credentials
        self._realm = challenge.parameters["realm"]
        self._service = challenge.parameters.get("service", "")
        self._fetch = fetch
        self._clock = clock
        self._tokens: dict[Scopes, _Token] = {}
        self._fetching: dict[Scopes, asyncio.Lock] = {}

    async def header(self, scopes: Scopes) -> str:
        """A token that has not expired."""
        async with self._fetching.setdefault(scopes, asyncio.Lock()):
            token = self._tokens.get(scopes)
            if token is None or token.until <= self._clock.monotonic():
                token = self._tokens[scopes] = await self._new(scopes)
        return f"Bearer {token.value}"

    def refused(self, scopes: Scopes) -> bool:
        """The token may have expired before its time: the next one is new."""
        return self._tokens.pop(scopes, None) is not None

    async def _new(self, scopes: Scopes) -> _Token:
        asked = self._clock.monotonic()
        if self.credentials and self.credentials.identity_token:
            data = await self._by_identity_token(self.credentials, scopes)
        else:
            data = await self._by_password(scopes)
        try:
            answer = json.loads(data)
            value = str(answer.get("token") or answer.get("access_token") or "")
            life = float(answer.get("expires_in") or _SHORTEST_LIFE)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _nonsense(self._realm) from error
        if not value or "\n" in value or "\r" in value:
            raise _nonsense(self._realm)
        return _Token(value, asked + max(life, _SHORTEST_LIFE) - _MARGIN)

    async def _by_password(self, scopes: Scopes) -> bytes:
        query = [("service", self._service)] if self._service else []
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if self.credentials:
            query.append(("account", self.credentials.username))
            headers["Authorization"] = _basic(self.credentials)
        separator = "&" if "?" in self._realm else "?"
        return await self._fetch("GET", f"{self._realm}{separator}{urlencode(query)}", headers, None)

    async def _by_identity_token(self, credentials: Credentials, scopes: Scopes) -> bytes:
        form = {
            "grant_type": "refresh_token",
            "service": self._service,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            "refresh_token": credentials.identity_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._fetch("POST", self._realm, headers, urlencode(form).encode())


def choose_authorizer(
    challenges: Sequence[Challenge], credentials: Credentials | None, fetch: Fetch, clock: Clock
) -> Authorizer:
    """What answers the challenges: a token before a password, and neither where nothing fits."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return Bearer(challenge, credentials, fetch, clock)
    if credentials and credentials.username and any(challenge.scheme == "basic" for challenge in challenges):
        return Basic(credentials)
    return Anonymous()


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _nonsense(realm: str) -> RegistryError:
    host = realm.partition("://")[2].partition("/")[0]
    return RegistryError(f"cannot be let in: the token server `{host}` answered with nonsense")
