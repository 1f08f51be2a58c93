"""What lies behind the names that a project uses: the Dockerfiles of remote contexts, the ONBUILD triggers of base images.

Neither is here to be read. Both are looked at while a lock is made, and what they need stands in the lock as used by
`Dockerfile of URL` or `ONBUILD of IMAGE`; as long as the project uses that, it counts as used, and nobody has to be asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from composer.lock.model import Lock, LockedCommit, LockedDownload, LockedImage
from composer.lock.uses import Collector, Use, Uses

_DOCKERFILE, _TRIGGERS = "Dockerfile of ", "ONBUILD of "

Entries = Mapping[str, LockedImage] | Mapping[str, LockedDownload] | Mapping[str, LockedCommit]


def dockerfile_of(url: str) -> str:
    """Who uses what the Dockerfile in a remote context names."""
    return _DOCKERFILE + url


def triggers_of(image: str) -> str:
    """Who uses what an image's ONBUILD names."""
    return _TRIGGERS + image


def is_trigger(use: Use) -> bool:
    """Whether something is needed by an image's ONBUILD: what that takes from is no base, whose own would count."""
    return use.by.startswith(_TRIGGERS)


def known(lock: Lock, uses: Uses, anew: Collection[str] = ()) -> Uses:
    """`uses`, and what the lock says is needed behind them, but for what lies behind the names `anew`."""
    images, downloads, commits = (
        {name: list(each) for name, each in used.items()} for used in (uses.images, uses.downloads, uses.commits)
    )
    leading = ((_DOCKERFILE, commits), (_DOCKERFILE, downloads), (_TRIGGERS, images))
    kinds: tuple[tuple[Entries, dict[str, list[Use]]], ...] = (
        (lock.images, images),
        (lock.downloads, downloads),
        (lock.commits, commits),
    )
    grew = True
    while grew:
        grew = False
        for entries, used in kinds:
            for name, entry in entries.items():
                for use in _behind(entry.used_by, leading, anew):
                    if use not in used.get(name, ()):
                        used.setdefault(name, []).append(use)
                        grew = True
    return Uses(images, downloads, commits, uses.warnings)


def is_known(lock: Lock, by: str) -> bool:
    """Whether the lock has anything that is used by `by`."""
    kinds: tuple[Entries, ...] = (lock.images, lock.downloads, lock.commits)
    return any(by in entry.used_by for entries in kinds for entry in entries.values())


def merged(all_uses: Iterable[Uses]) -> Uses:
    """Everything that any of them has."""
    into = Collector()
    for uses in all_uses:
        for mine, theirs in (
            (into.images, uses.images),
            (into.downloads, uses.downloads),
            (into.commits, uses.commits),
        ):
            for name, each in theirs.items():
                mine.setdefault(name, []).extend(each)
        into.warnings += uses.warnings
    return into.uses()


def _behind(
    used_by: Sequence[str], leading: Sequence[tuple[str, Mapping[str, Sequence[Use]]]], anew: Collection[str]
) -> list[Use]:
    found = []
    for by in used_by:
        for prefix, names in leading:
            parent = by.removeprefix(prefix)
            if parent != by and parent not in anew:
                found += [Use(by, use.service, use.location) for use in names.get(parent, ())]
    return found
