"""What the rest of composer sees of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform
from composer.oci.digest import Digest
from composer.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class HostBind:
    """Something of this machine that is part of the image `host`; never set-user-id, never devices."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class Origin:
    """What a registry said when it was last asked for an image's name."""

    digest: Digest
    """Of the manifest, or of the index of which the image is one platform."""
    time: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image at rest, enough to make a container of it."""

    id: str
    """The config's digest; empty for the embedded image `host`, which has none."""
    reference: Reference | None
    """The name it was found by; None for an image without a name."""
    manifest: Digest | None
    config: ImageConfig
    layers: tuple[Path, ...]
    """Snapshot directories, topmost first, as overlay takes them. `Store.unpack` makes those that are missing."""
    binds: tuple[HostBind, ...] = ()
    origin: Origin | None = None
    """None for an image that was not pulled by this name."""

    @property
    def name(self) -> str:
        """How people call it."""
        return self.reference.familiar() if self.reference else self.id.removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True)
class PlatformRecord:
    """One of the images that an index lists."""

    platform: Platform
    id: str
    manifest: str
    """Its digest."""
    layers: Mapping[str, int]
    """Digest -> bytes."""

    @property
    def size(self) -> int:
        """Bytes of its layers, unpacked where they are, else as blobs."""
        return sum(self.layers.values())


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One line of a listing of images."""

    reference: Reference | None
    id: str
    size: int
    """Bytes of its layers, unpacked where they are, else as blobs."""
    created: float
    """Seconds since the epoch; 0 where the image does not say."""
    manifest: str = ""
    """Digest of its entry in the index."""
    labels: Mapping[str, str] = field(default_factory=dict)
    layers: Mapping[str, int] = field(default_factory=dict)
    """Digest -> bytes; images that share a layer both have it here."""
    damage: str = ""
    """What keeps the image from being read; empty where nothing does."""
    platforms: tuple[PlatformRecord, ...] = ()
    """Where the name is that of an index: every image it lists and that is here, the one that the rest of this tells of too."""

    @property
    def ids(self) -> frozenset[str]:
        """Its id, and those of the images that an index lists besides."""
        return frozenset({self.id, *(each.id for each in self.platforms)})
