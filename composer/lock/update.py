"""A new lock from the old one: pure, given what registries and others said.

What did not move keeps its time and source, so that its lines do not change; what nothing uses any more is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from composer.lock.model import Lock, LockedCommit, LockedDownload, LockedImage
from composer.lock.uses import Use, Uses

Entry = TypeVar("Entry", LockedImage, LockedDownload, LockedCommit)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names whose content has to be found out."""

    images: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.images or self.downloads or self.commits)

    def without(self, found: Found) -> Wanted:
        """What of it is still to be found out."""
        return Wanted(
            tuple(name for name in self.images if name not in found.images),
            tuple(url for url in self.downloads if url not in found.downloads),
            tuple(url for url in self.commits if url not in found.commits),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about them; times and users are filled in here."""

    images: Mapping[str, LockedImage] = field(default_factory=dict)
    downloads: Mapping[str, LockedDownload] = field(default_factory=dict)
    commits: Mapping[str, LockedCommit] = field(default_factory=dict)
    triggers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What images ask of whoever builds on them (ONBUILD), as far as they had to be looked at."""

    def also(self, more: Found) -> Found:
        """Both together."""
        return Found(
            {**self.images, **more.images},
            {**self.downloads, **more.downloads},
            {**self.commits, **more.commits},
            {**self.triggers, **more.triggers},
        )


def wanted(lock: Lock, uses: Uses, *, update: bool = False, services: Collection[str] = ()) -> Wanted:
    """What to find out: what is missing, and with `update` what is there, or of it what one of `services` uses."""

    def names(used: Mapping[str, Sequence[Use]], locked: Mapping[str, object]) -> tuple[str, ...]:
        return tuple(
            name
            for name, each in sorted(used.items())
            if name not in locked or (update and (not services or any(use.service in services for use in each)))
        )

    downloads = dict.fromkeys(names(uses.downloads, lock.downloads))
    for url, each in uses.downloads.items():  # the Dockerfile's own word is newer than ours
        known = lock.downloads.get(url)
        if known and any(use.checksum not in (None, known.checksum) for use in each):
            downloads[url] = None
    return Wanted(names(uses.images, lock.images), tuple(downloads), names(uses.commits, lock.commits))


def updated(lock: Lock, uses: Uses, found: Found, now: datetime) -> Lock:
    """The lock that follows `lock`, for a project that has `uses`."""
    images = _entries(lock.images, found.images, uses.images, now)
    packages = {
        name: each
        for name, each in lock.packages.items()
        if name in images and each.digest in images[name].platforms.values()
    }
    return Lock(
        images,
        _entries(lock.downloads, found.downloads, uses.downloads, now),
        _entries(lock.commits, found.commits, uses.commits, now),
        packages,
    )


def _entries(
    before: Mapping[str, Entry], found: Mapping[str, Entry], uses: Mapping[str, Sequence[Use]], now: datetime
) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for name, used in sorted(uses.items()):
        old, new = before.get(name), found.get(name)
        entry = old if new is None else new
        if entry is None:
            continue  # it could not be found out, which whoever asked has been told
        if new is not None:
            same = old is not None and _content(old) == _content(new)
            entry = old if same and old is not None else replace(new, locked=now)
        entries[name] = replace(entry, used_by=tuple(sorted({use.by for use in used})))
    return entries


def _content(entry: LockedImage | LockedDownload | LockedCommit) -> object:
    """What of an entry is pinned."""
    match entry:
        case LockedImage():
            return entry.digest, entry.platforms
        case LockedDownload():
            return entry.checksum
        case LockedCommit():
            return entry.commit
