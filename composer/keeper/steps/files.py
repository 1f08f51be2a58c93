"""What lies in the new root beside what is mounted there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """Make a device node at `target` (`mknod(2)`), or bind the host's node where that is not allowed."""

    target: str
    kind: str
    """`c` or `b`."""
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0
    source: str = ""
    """The host's node, where it is not at `target`."""


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link at `target` that contains `text`; one that is there already stays."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory at `target`, missing parents included; one that is there keeps its owner and mode."""

    target: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class CopyTree:
    """Copy what is below `target` in the mounted root into the empty host directory `destination`.

    Ownership (of the directory itself too), modes, times, links and extended attributes are kept. A destination with
    anything in it, or a target that is not a directory, is left alone: this is how a new volume is seeded.
    """

    target: str
    destination: str
