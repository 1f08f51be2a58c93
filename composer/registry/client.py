"""A registry's repositories, by reference: at its mirrors first, then at the registry itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from composer.clock import Clock
from composer.errors import RegistryError
from composer.oci.reference import Reference
from composer.registry.access import Access
from composer.registry.connection import Connection, Manners
from composer.registry.endpoints import Endpoint, endpoint_of, endpoints_for_pull
from composer.registry.repository import Repository
from composer.registry.transport import Transport

T = TypeVar("T")

_NETWORK = "check the registry's name, the network and the proxy"
_OFFLINE = (
    "without a network `compose image load` or `compose image import` brings an image in, "
    "and a mirror can stand in registries.toml"
)


class Client:
    """The ways of one user to registries, over connections that the caller closes."""

    def __init__(self, access: Access, clock: Clock, transport: Transport, manners: Manners | None = None) -> None:
        """`manners` is what is known of endpoints, and grows."""
        self._access = access
        self._clock = clock
        self._transport = transport
        self._manners = manners

    def sources(self, reference: Reference, verb: str = "pull") -> tuple[Repository, ...]:
        """Where an image may be pulled from, in the order to ask; `verb` is what errors say cannot be done."""
        what = f"cannot {verb} `{reference.familiar()}`"
        endpoints = endpoints_for_pull(reference.registry, self._access.settings)
        hint = f"{_NETWORK}; {_OFFLINE}"
        return tuple(Repository(self._connection(endpoint, what, hint), reference) for endpoint in endpoints)

    def target(self, reference: Reference) -> Repository:
        """Where an image is pushed to."""
        endpoint = endpoint_of(reference.registry, self._access.settings)
        connection = self._connection(endpoint, f"cannot push `{reference.familiar()}`")
        return Repository(connection, reference, "pull,push")

    async def let_in(self, registry: str) -> None:
        """Return if the registry accepts our credentials. Raises RegistryError."""
        endpoint = endpoint_of(registry, self._access.settings)
        connection = self._connection(endpoint, f"cannot log in to `{registry}`")
        async with connection.send("GET", "/v2/", scopes=()):
            pass

    def _connection(self, endpoint: Endpoint, what: str, hint: str = _NETWORK) -> Connection:
        return Connection(self._transport, endpoint, self._access, self._clock, what, hint, self._manners)


async def first_of(sources: Sequence[T], ask: Callable[[T], Awaitable[object]]) -> T:
    """The first of `sources` that `ask` succeeds with. Raises the last one's error: that of the registry itself."""
    *mirrors, registry = sources
    for mirror in mirrors:
        try:
            await ask(mirror)
        except RegistryError:
            continue  # a mirror need not have everything, nor be there at all
        return mirror
    await ask(registry)
    return registry
