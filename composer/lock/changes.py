"""What differs between two locks, for a changelog: which names came, went and moved, and what that brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from composer.lock.model import Lock, LockedImage, LockedPackages

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Version:
    """A package with its versions before and after; one that came or went has none on one side."""

    ecosystem: str
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One name whose content is another than before; `old` or `new` is empty for one that came or went."""

    kind: str
    """`image`, `download` or `git`."""
    name: str
    old: str
    new: str
    """A digest, checksum or commit."""
    before: LockedImage | None = None
    after: LockedImage | None = None
    versions: tuple[Version, ...] = ()
    """Of packages; none where one of the locks has not recorded them."""


def changes(old: Lock, new: Lock) -> tuple[Change, ...]:
    """What `new` has otherwise than `old`, images first, each kind by name."""
    return (*_images(old, new), *_downloads(old, new), *_commits(old, new))


def versions(old: LockedPackages | None, new: LockedPackages | None) -> tuple[Version, ...]:
    """Whose version is another, by ecosystem and name."""
    if old is None or new is None:
        return ()
    found = []
    for ecosystem in sorted({*old.packages, *new.packages}):
        before, after = old.packages.get(ecosystem, {}), new.packages.get(ecosystem, {})
        for name, was, now in _pairs(before, after):
            if was != now:
                found.append(Version(ecosystem, name, was or (), now or ()))
    return tuple(found)


def _images(old: Lock, new: Lock) -> Iterator[Change]:
    for name, before, after in _pairs(old.images, new.images):
        was, now = str(before.digest) if before else "", str(after.digest) if after else ""
        packages = versions(old.packages.get(name), new.packages.get(name))
        if was != now or packages:
            yield Change("image", name, was, now, before, after, packages)


def _downloads(old: Lock, new: Lock) -> Iterator[Change]:
    for url, before, after in _pairs(old.downloads, new.downloads):
        was, now = str(before.checksum) if before else "", str(after.checksum) if after else ""
        if was != now:
            yield Change("download", url, was, now)


def _commits(old: Lock, new: Lock) -> Iterator[Change]:
    for url, before, after in _pairs(old.commits, new.commits):
        was, now = before.commit if before else "", after.commit if after else ""
        if was != now:
            yield Change("git", url, was, now)


def _pairs(old: Mapping[str, T], new: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    for name in sorted({*old, *new}):
        yield name, old.get(name), new.get(name)
