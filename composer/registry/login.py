"""`compose login` and `logout`: credentials tried at the registry, then kept where Docker keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from composer.clock import SystemClock
from composer.errors import UsageError
from composer.oci.reference import DEFAULT_REGISTRY
from composer.registry.access import Access
from composer.registry.client import Client
from composer.registry.credentials import Credentials
from composer.registry.endpoints import HUB_KEY, endpoint_of
from composer.registry.transport import HttpTransport

_HUB_NAMES = ("", "docker.io", "index.docker.io", "registry-1.docker.io", HUB_KEY)


def registry_named(server: str) -> str:
    """The registry that `compose login SERVER` means, as references name it. Raises UsageError."""
    if server in _HUB_NAMES:
        return DEFAULT_REGISTRY
    host = server.removeprefix("https://").removeprefix("http://").rstrip("/")
    if not host or "/" in host or "@" in host:
        meant = host.partition("/")[0].rpartition("@")[2] or "registry.example.com"
        raise UsageError(f"`{server}` is not a registry", hint=f"name its host: `compose login {meant}`")
    return host


async def login(registry: str, credentials: Credentials, environment: Mapping[str, str]) -> str:
    """Store credentials that the registry accepts; where, in words. Raises RegistryError where it does not."""
    access = replace(Access.of(environment), given={registry: credentials})
    transport = HttpTransport()
    try:
        await Client(access, SystemClock(), transport).let_in(registry)
    finally:
        await transport.close()
    return access.docker.put(endpoint_of(registry, access.settings).credentials_key, credentials)


def logout(registry: str, environment: Mapping[str, str]) -> bool:
    """Forget the credentials for a registry; whether there were any."""
    access = Access.of(environment)
    return access.docker.remove(endpoint_of(registry, access.settings).credentials_key)
