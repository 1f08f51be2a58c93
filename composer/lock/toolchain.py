"""Whether the containers of a machine have the software that a lock says: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from composer.api.messages import ContainerSoftware
from composer.errors import ImageError
from composer.lock.changes import Version, versions
from composer.lock.model import Lock, LockedPackages, name_of
from composer.oci.digest import Digest
from composer.oci.reference import parse


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to say of one container."""

    container: str
    service: str
    image: str
    manifest: str
    """What it was made from."""
    locked: str
    """The digest that its image is locked to; empty where it is not."""
    state: str
    """`as locked`, `another image`, `changed inside`, or `not locked`."""
    changes: tuple[Version, ...] = ()
    """Packages that are otherwise than the lock says."""

    @property
    def differs(self) -> bool:
        """Whether it has something else than the lock says."""
        return self.state in ("another image", "changed inside")


def verdicts(lock: Lock, containers: Iterable[ContainerSoftware]) -> tuple[Verdict, ...]:
    """A verdict for each container, in their order."""
    return tuple(_verdict(lock, container) for container in containers)


def _verdict(lock: Lock, container: ContainerSoftware) -> Verdict:
    name = _name(container.image)
    image = lock.images.get(name)
    locked = str(image.digest) if image else ""
    changed = _changes(lock.packages.get(name), container)
    state = {"same": "changed inside" if changed else "as locked", "other": "another image"}.get(
        container.state, "not locked"
    )
    return Verdict(container.container, container.service, container.image, container.manifest, locked, state, changed)


def _changes(locked: LockedPackages | None, container: ContainerSoftware) -> tuple[Version, ...]:
    # Those of another platform may have other versions with every right.
    if locked is None or container.state == "unlocked" or locked.platform != container.platform:
        return ()
    here = LockedPackages(Digest("sha256", ""), container.platform, container.packages)
    return versions(locked, here)


def _name(reference: str) -> str:
    try:
        return name_of(parse(reference))
    except ImageError:
        return reference
