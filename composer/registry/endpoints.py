"""Where a registry is reached: its host, the schemes that may be tried, its certificates.

TLS is the rule. Plain HTTP is spoken where registries.toml says so, and to this machine's own loopback addresses when TLS
is not understood there: nobody else can listen on those. Docker Hub has three names: `docker.io` in references,
`registry-1.docker.io` on the network, and `https://index.docker.io/v1/` in files of credentials.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from composer.errors import UsageError
from composer.oci.reference import DEFAULT_REGISTRY
from composer.registry.settings import Settings

_HUB_HOST = "registry-1.docker.io"
HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to ask."""

    registry: str
    """The name that users and credentials know it by."""
    host: str
    """Host and port."""
    schemes: tuple[str, ...] = ("https",)
    """Those that may be tried, in this order."""
    prefix: str = ""
    """What a mirror puts before the repository, `docker/` for instance."""
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    mirror: bool = False

    @property
    def credentials_key(self) -> str:
        """Its name in files of credentials."""
        return HUB_KEY if self.registry == DEFAULT_REGISTRY else self.registry

    def tls(self, *, identify: bool = True) -> ssl.SSLContext:
        """How its certificate is checked and, to `identify` us, ours shown. Raises UsageError for files of no use."""
        if not identify:
            return _context(self.ca, None, None)
        return _context(self.ca, self.client_certificate, self.client_key)


def endpoint_of(registry: str, settings: Settings) -> Endpoint:
    """The registry itself."""
    mine = settings.of(registry)
    host = _HUB_HOST if registry == DEFAULT_REGISTRY else registry
    if mine.plain_http:
        schemes: tuple[str, ...] = ("http",)
    elif is_loopback(host):
        schemes = ("https", "http")
    else:
        schemes = ("https",)
    return Endpoint(registry, host, schemes, "", mine.ca, mine.client_certificate, mine.client_key)


def endpoints_for_pull(registry: str, settings: Settings) -> tuple[Endpoint, ...]:
    """The mirrors of a registry in order, then the registry itself."""
    return (*(_mirror(url, settings) for url in settings.of(registry).mirrors), endpoint_of(registry, settings))


def _mirror(url: str, settings: Settings) -> Endpoint:
    """`host[:port][/prefix]`, or the same as a URL: a written `http://` is consent to plain HTTP."""
    scheme, separator, rest = url.rpartition("://")
    host, _, prefix = rest.rstrip("/").partition("/")
    if not host or scheme not in ("", "http", "https"):
        raise UsageError(f"cannot use the mirror `{url}`", hint="write `host[:port][/prefix]` in registries.toml")
    own = endpoint_of(host, settings)
    return Endpoint(
        host,
        own.host,
        (scheme,) if separator else own.schemes,
        f"{prefix}/" if prefix else "",
        own.ca,
        own.client_certificate,
        own.client_key,
        mirror=True,
    )


def is_loopback(host: str) -> bool:
    """Whether `host[:port]` is this machine's own, whatever its network is."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=32)
def _context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if ca:
            context.load_verify_locations(ca)
        if certificate:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror.lower() if error.strerror else str(error)
        files = ", ".join(f"`{path}`" for path in (ca, certificate, key) if path)
        raise UsageError(f"cannot use the certificates {files} of registries.toml: {reason}") from error
    return context
