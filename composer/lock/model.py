"""What `compose.lock` says: which content each name that a project uses means, as data.

A digest, a checksum and a commit pin; everything else (when, from where, how large, by whom) is there for whoever reviews
the file. What did not move keeps its time, so that a lock made again is the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from composer.oci.digest import Digest
from composer.oci.reference import Reference, parse

VERSION = 1

Packages = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Ecosystem (`debian`, `alpine`, `npm`, `pip`) -> name -> versions; more than one where several are installed."""


@dataclass(frozen=True, slots=True)
class LockedImage:
    """What one image reference means."""

    digest: Digest
    """Of the index, or of the manifest where the registry has no index."""
    platforms: Mapping[str, Digest]
    """Platform -> digest of its manifest."""
    created: datetime | None = None
    """When the image was made, by its own word; None where it does not say."""
    size: int = 0
    """Bytes of its compressed layers, for `measured_platform`."""
    source: str = ""
    """The registry or mirror that was asked."""
    locked: datetime | None = None
    """When the reference was found to mean this."""
    used_by: tuple[str, ...] = ()
    """Services, and Dockerfiles relative to the lock file."""


@dataclass(frozen=True, slots=True)
class LockedDownload:
    """What an `ADD` of a URL brings."""

    checksum: Digest
    locked: datetime | None = None
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedCommit:
    """What a branch or tag of a git repository means."""

    commit: str
    locked: datetime | None = None
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedPackages:
    """What is installed in an image."""

    digest: Digest
    """Of the manifest they were read from."""
    platform: str
    packages: Packages


@dataclass(frozen=True, slots=True)
class Lock:
    """The whole file. Images and packages are keyed by `name_of` their reference, the others by URL as written."""

    images: Mapping[str, LockedImage] = field(default_factory=dict)
    downloads: Mapping[str, LockedDownload] = field(default_factory=dict)
    commits: Mapping[str, LockedCommit] = field(default_factory=dict)
    packages: Mapping[str, LockedPackages] = field(default_factory=dict)


def name_of(reference: Reference) -> str:
    """How the lock file calls an image: every spelling of a reference gives the same, always with tag or digest."""
    name = reference.familiar()
    return f"{name}:latest" if reference.tag == "latest" and not reference.digest else name


def exactly(name: str, image: LockedImage) -> str:
    """The reference that means exactly what an image is locked to."""
    return str(replace(parse(name), digest=image.digest))


def measured_platform(platforms: Mapping[str, Digest]) -> str:
    """The platform that stands for an image where one must: the same on every machine, whatever that is."""
    return next(
        (name for name in ("linux/amd64", "linux/arm64", "linux/arm64/v8") if name in platforms),
        min(platforms, default=""),
    )
