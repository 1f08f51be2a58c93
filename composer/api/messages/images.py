"""What is asked of images, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Pull the images of a project's services."""

    project: dict[str, Any]
    origins: Any
    services: tuple[str, ...] = ()
    include_deps: bool = False
    policy: str = ""
    """`always` or `missing`; empty is what the file says, else `always`."""
    ignore_buildable: bool = False
    ignore_failures: bool = False
    dry_run: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PushRequest:
    """Push the images that a project's services build."""

    project: dict[str, Any]
    services: tuple[str, ...] = ()
    include_deps: bool = False
    ignore_failures: bool = False
    dry_run: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImagesRequest:
    """Pull or push images by reference."""

    references: tuple[str, ...]
    platform: str = ""
    surroundings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImagePlatform:
    """One of the images that an index lists, as `ls` and `inspect` show it."""

    platform: str
    id: str
    manifest: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """An image as `compose image ls` shows it; `size` in bytes, `created` in seconds since the epoch."""

    reference: str
    id: str
    size: int
    created: float
    damage: str = ""
    """Why the image cannot be read; empty for a sound one."""
    platforms: tuple[ImagePlatform, ...] = ()
    """Where the name is that of an index: what it lists."""


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What `compose image inspect` and `history` print; `config` is the image's configuration as it is stored."""

    id: str
    references: tuple[str, ...]
    digests: tuple[str, ...]
    """`name@digest` as registries gave it."""
    manifest: str
    size: int
    layers: tuple[int, ...]
    """Bytes of each layer, from the bottom up."""
    config: dict[str, Any]
    platforms: tuple[ImagePlatform, ...] = ()
    """Where the name is that of an index: what it lists; the rest of this tells of this machine's."""


@dataclass(frozen=True, slots=True)
class ImageSoftware:
    """What is installed in an image: ecosystem -> name -> versions."""

    reference: str
    manifest: str
    platform: str
    packages: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
