"""What the user has towards registries: settings, credentials, proxies. Read anew for each request to the engine."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from composer.oci.reference import DEFAULT_REGISTRY
from composer.paths import configuration_directory
from composer.registry.credentials import Credentials, DockerConfig
from composer.registry.endpoints import HUB_KEY, is_loopback
from composer.registry.settings import Settings, read_settings


@dataclass(frozen=True, slots=True)
class Access:
    """One user's ways to registries."""

    settings: Settings
    docker: DockerConfig
    environment: Mapping[str, str]
    given: Mapping[str, Credentials] = field(default_factory=dict)
    """Credentials to use instead of stored ones, by registry."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Access:
        """What applies in this environment. Raises UsageError for files that cannot be read."""
        home = Path(environment.get("HOME") or "/")
        docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
        settings = read_settings(configuration_directory(environment, os.getuid()))
        return cls(settings, DockerConfig(docker / "config.json", environment), environment)

    def credentials(self, registry: str) -> Credentials | None:
        """The user's credentials for a registry; blocks while a helper is asked."""
        if registry in self.given:
            return self.given[registry]
        return self.docker.get(HUB_KEY if registry == DEFAULT_REGISTRY else registry)

    def proxy(self, url: str) -> str:
        """The proxy for `url`, empty for none; this machine itself is never asked for through one."""
        parts = urlsplit(url)
        if is_loopback(parts.netloc):
            return ""
        proxies = {
            name.lower().removesuffix("_proxy"): value
            for name in sorted(self.environment)  # lower case stands last and wins, as in curl
            if name.lower().endswith("_proxy") and (value := self.environment[name])
        }
        if urllib.request.proxy_bypass_environment(parts.hostname or "", proxies):  # type: ignore[attr-defined]
            return ""
        proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
        return proxy if "://" in proxy or not proxy else f"http://{proxy}"
