"""What of a user's environment concerns registries and builds: the engine has another one than the user's shell.

A request to the engine carries these variables, and nothing else of the environment; credential helpers get them too.
"""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES = (
    "HOME", "PATH", "DOCKER_CONFIG", "COMPOSER_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "GNUPGHOME", "PASSWORD_STORE_DIR", "GPG_TTY",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "ALL_PROXY", "all_proxy",
    "DOCKER_DEFAULT_PLATFORM", "SSH_AUTH_SOCK", "SOURCE_DATE_EPOCH",
)  # fmt: skip


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of `environment` that concern registries and builds."""
    return {name: environment[name] for name in VARIABLES if name in environment}
