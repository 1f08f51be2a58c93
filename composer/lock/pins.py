"""What a lock means for whoever runs a project: exact digests instead of names. It travels in requests to the engine.

{"strict": true, "images": {"redis:7": {"digest": "sha256:…", "platforms": {…}, "place": "compose.lock:12"}},
 "downloads": {URL: "sha256:…"}, "commits": {URL: "…"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from composer.errors import ComposerError, EngineError, ImageError
from composer.lock.file import lock_path
from composer.lock.model import Lock, name_of
from composer.lock.places import Places
from composer.lock.reading import read
from composer.oci.digest import Digest
from composer.oci.platform import parse_platform, rank, this_platform
from composer.oci.reference import parse

if TYPE_CHECKING:
    from composer.build.pinned import Pinned
    from composer.project.model import Project


@dataclass(frozen=True, slots=True)
class Pin:
    """What a reference is locked to."""

    digest: Digest
    """Of the index, or of the manifest where there is no index."""
    platforms: Mapping[str, Digest] = field(default_factory=dict)
    place: str = ""
    """file:line of the lock."""

    def allows(self, manifest: Digest | None) -> bool:
        """Whether an image of this manifest is what is locked, for whichever platform."""
        return not self.platforms or manifest in self.platforms.values()

    def manifest(self, platform: str = "") -> Digest | None:
        """The manifest for a platform, or the one that suits this machine; None where the lock has none."""
        wanted = parse_platform(platform) if platform else this_platform()
        ranked = [
            (place, digest)
            for name, digest in self.platforms.items()
            if (place := rank(parse_platform(name), wanted)) is not None
        ]
        return min(ranked)[1] if ranked else None


@dataclass(frozen=True, slots=True)
class Pins:
    """All pins of a project; with none, names mean what registries and the store say."""

    images: Mapping[str, Pin] = field(default_factory=dict)
    downloads: Mapping[str, Digest] = field(default_factory=dict)
    """Checksums of what `ADD` fetches, by URL."""
    commits: Mapping[str, str] = field(default_factory=dict)
    """Commits of git repositories, by URL as written."""
    strict: bool = False
    """`--locked`: what has no pin is refused."""

    @property
    def present(self) -> bool:
        """Whether there is a lock that pins anything."""
        return bool(self.images or self.downloads or self.commits or self.strict)

    def image(self, reference: str) -> Pin | None:
        """The pin of an image reference, however it is spelled."""
        if not self.images:
            return None
        try:
            return self.images.get(name_of(parse(reference)))
        except ImageError:
            return None

    def spellings(self, reference: str) -> tuple[str, ...]:
        """What to look an image up by, in this order: by its digests where it is locked, else as it is written."""
        pin = self.image(reference)
        if pin is None:
            return (reference,)
        name = parse(reference)
        digests = dict.fromkeys((pin.digest, *pin.platforms.values()))
        return tuple(str(replace(name, digest=digest)) for digest in digests)

    def for_builder(self) -> Pinned:
        """The same for builds."""
        # Every `up` that has a lock imports this module, in the client too; what builds take does not belong there.
        from composer.build.pinned import Pinned

        return Pinned(
            {str(parse(name)): (pin.digest, *pin.platforms.values()) for name, pin in self.images.items()},
            {url: str(checksum) for url, checksum in self.downloads.items()},
            dict(self.commits),
            self.strict,
        )

    def to_wire(self) -> dict[str, Any]:
        """The pins as JSON-able data."""
        return {
            "strict": self.strict,
            "images": {
                name: {
                    "digest": str(pin.digest),
                    "platforms": {platform: str(digest) for platform, digest in pin.platforms.items()},
                    "place": pin.place,
                }
                for name, pin in self.images.items()
            },
            "downloads": {url: str(checksum) for url, checksum in self.downloads.items()},
            "commits": dict(self.commits),
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Pins:
        """What `to_wire` wrote; of an empty object no pins. Raises EngineError for anything else."""
        if not data:
            return cls()
        try:
            return cls(
                {
                    str(name): Pin(
                        Digest.parse(pin["digest"]),
                        {str(platform): Digest.parse(digest) for platform, digest in pin["platforms"].items()},
                        str(pin["place"]),
                    )
                    for name, pin in data["images"].items()
                },
                {str(url): Digest.parse(checksum) for url, checksum in data["downloads"].items()},
                {str(url): str(commit) for url, commit in data["commits"].items()},
                bool(data["strict"]),
            )
        except (KeyError, TypeError, AttributeError, ComposerError) as error:
            raise EngineError("cannot understand the request: its lock is not as it should be") from error


def pins_of(lock: Lock, path: Path, *, strict: bool = False) -> Pins:
    """What `lock`, read from `path`, pins."""
    try:
        places = Places(path.read_text(errors="replace"), path.name)
    except OSError:
        places = Places("", path.name)

    def place(name: str) -> str:
        location = places.at(("image", name))
        return f"{location.file}:{location.line}"

    return Pins(
        {name: Pin(image.digest, image.platforms, place(name)) for name, image in lock.images.items()},
        {url: download.checksum for url, download in lock.downloads.items()},
        {url: commit.commit for url, commit in lock.commits.items()},
        strict,
    )


def pins_beside(project: Project) -> Pins:
    """What the lock of `project` pins; nothing where it has none. Raises ProjectError for one that is damaged."""
    path = lock_path(project)
    lock = read(path, packages=False)
    return pins_of(lock, path) if lock else Pins()
