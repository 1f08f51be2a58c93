"""Which groups and namespaces the child is in, and who else gets hold of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JoinCgroup:
    """Move ourselves into each of these groups (`cgroups(7)`); the directories exist already."""

    directories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinNamespace:
    """`setns(2)` into the namespace behind a descriptor."""

    fd: str
    kind: str
    """`net`, `ipc`, `uts` or `pid`."""


@dataclass(frozen=True, slots=True)
class ReportNamespace:
    """Send our own namespace descriptor of `kind` up under `name`."""

    name: str
    kind: str = "net"


@dataclass(frozen=True, slots=True)
class PinNamespace:
    """Bind-mount our network namespace on the file `path` (made if missing), in the mount namespace we are in."""

    path: str


@dataclass(frozen=True, slots=True)
class Unpin:
    """Unmount and remove a file that `PinNamespace` made; nothing there is fine."""

    path: str
