"""What a lock lacks for a project, or has too much: pure, and asks nobody.

That a tag has moved at its registry is no difference: that it does not matter is what the lock is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from composer.errors import Diagnostic, Location, Severity
from composer.lock.behind import known
from composer.lock.model import Lock
from composer.lock.places import Places
from composer.lock.update import Found, updated
from composer.lock.uses import Use, Uses
from composer.lock.writing import write
from composer.oci.digest import Digest

_NEVER = datetime.max.replace(tzinfo=UTC)
"""Stands for the time at which something new is locked: here nothing is."""
_LOCK = "`compose lock` brings the lock up to date"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which lock and project differ."""

    kind: str
    """`image`, `download` or `git`."""
    name: str
    what: str
    """`missing`, `stale` or `unused`."""
    detail: str
    location: Location | None = None

    @property
    def breaks(self) -> bool:
        """Whether what runs could be something else than what is locked; what is unused cannot."""
        return self.what != "unused"

    def diagnostic(self, severity: Severity = Severity.ERROR) -> Diagnostic:
        """The difference in words."""
        return Diagnostic(severity, self.detail, self.location, hint=_LOCK)


def compare(lock: Lock, uses: Uses, text: str, path: Path) -> tuple[Difference, ...]:
    """What differs between the lock, whose `text` is the file's at `path`, and what a project uses; by kind and name."""
    uses = known(lock, uses)
    places = Places(text, str(path))
    found = [
        *_missing("image", uses.images, lock.images, path.name),
        *_missing("download", uses.downloads, lock.downloads, path.name),
        *_missing("git", uses.commits, lock.commits, path.name),
        *_changed(lock, uses, path.name),
        *_unused("image", uses.images, lock.images, places),
        *_unused("download", uses.downloads, lock.downloads, places),
        *_unused("git", uses.commits, lock.commits, places),
        *_old_packages(lock, places),
    ]
    if text and not found and write(updated(lock, uses, Found(), _NEVER)) != text:
        detail = f"{path.name} is not as `compose lock` writes it: who uses what has changed, or somebody edited it"
        found.append(Difference("lock", path.name, "unused", detail, places.at(())))
    return tuple(found)


def _missing(
    kind: str, uses: Mapping[str, Sequence[Use]], locked: Mapping[str, object], file: str
) -> Iterator[Difference]:
    for name, used in sorted(uses.items()):
        if name not in locked:
            detail = f"{file} has nothing for `{name}`, which {_by(used)} needs"
            yield Difference(kind, name, "missing", detail, used[0].location)


def _changed(lock: Lock, uses: Uses, file: str) -> Iterator[Difference]:
    """Where a Dockerfile says another checksum than the lock: one of the two has moved on without the other."""
    for url, used in sorted(uses.downloads.items()):
        locked = lock.downloads.get(url)
        for use in used:
            if locked and use.checksum and use.checksum != locked.checksum:
                detail = f"{use.by} expects {_short(use.checksum)} of `{url}`, {file} has {_short(locked.checksum)}"
                yield Difference("download", url, "stale", detail, use.location)


def _unused(
    kind: str, uses: Mapping[str, Sequence[Use]], locked: Mapping[str, object], places: Places
) -> Iterator[Difference]:
    for name in sorted(set(locked) - set(uses)):
        detail = f"nothing in the project uses `{name}` any more"
        yield Difference(kind, name, "unused", detail, places.at((kind, name)))


def _old_packages(lock: Lock, places: Places) -> Iterator[Difference]:
    for name, packages in sorted(lock.packages.items()):
        image = lock.images.get(name)
        if image is None or packages.digest not in image.platforms.values():
            detail = f"the packages of `{name}` are those of another image than the locked one"
            yield Difference("packages", name, "unused", detail, places.at(("packages", name)))


def _by(used: Sequence[Use]) -> str:
    return ", ".join(f"`{by}`" for by in dict.fromkeys(use.by for use in used))


def _short(digest: Digest) -> str:
    return f"sha256:{digest.short}"
