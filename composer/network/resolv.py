"""The host's resolvers, from `resolv.conf(5)`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

RESOLV_CONF = Path("/etc/resolv.conf")
SYSTEMD = Path("/run/systemd/resolve/resolv.conf")
"""Where systemd-resolved keeps the real servers while `/etc/resolv.conf` names its stub on 127.0.0.53."""
_FRESH = 5.0
"""Seconds before the files are looked at again: laptops move between networks."""


@dataclass(frozen=True, slots=True)
class ResolverConfig:
    """What a resolver is told."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse(text: str) -> ResolverConfig:
    """The configuration in `text`; what is not understood is left out, as the C library does. The last `search` counts."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split(";", 1)[0].split()
        match words:
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *domains]:
                search = tuple(domain for domain in domains if domain.strip("."))
            case ["options", *more]:
                options += more
            case _:
                continue
    return ResolverConfig(tuple(servers), search, tuple(options))


def host_config(resolv_conf: Path = RESOLV_CONF, systemd: Path = SYSTEMD) -> ResolverConfig:
    """The host's configuration, a loopback stub replaced by the servers behind it if they are known.

    Unreadable or missing files give an empty one: names of the outside are then answered with SERVFAIL.
    """
    config = _read(resolv_conf)
    if all(_is_loopback(server) for server in config.servers):
        behind = _read(systemd)
        if behind.servers:
            return ResolverConfig(behind.servers, behind.search or config.search, config.options)
    return config


class HostResolvers:
    """The host's resolvers, looked up again every few seconds."""

    def __init__(self) -> None:
        self._servers: tuple[str, ...] = ()
        self._until = 0.0

    def current(self) -> tuple[str, ...]:
        """Their addresses now."""
        now = time.monotonic()
        if now >= self._until:
            self._servers = host_config().servers
            self._until = now + _FRESH
        return self._servers


def _read(path: Path) -> ResolverConfig:
    try:
        return parse(path.read_text(errors="replace"))
    except OSError:
        return ResolverConfig()


def _is_loopback(server: str) -> bool:
    return server.startswith("127.") or server == "::1"
