"""Taking images out of the store, as far as the containers that were made from them allow.

Whose containers those are is asked while nobody adds content, which may have taken as long as a pull: what has started
meanwhile counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from composer.errors import ImageError
from composer.image import host
from composer.image.entries import means
from composer.image.image import Image, ImageRecord
from composer.image.index import origin_of, reference_of
from composer.image.prune import DANGLING, Criteria, choose, used_bytes
from composer.image.store import Store
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.reference import Reference

InUse = Mapping[str, Sequence[str]]
"""Image id -> names of the containers made from it."""
Users = Callable[[], InUse]
"""Says what is in use at the time when it is asked."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is gone."""

    names: tuple[str, ...] = ()
    """Of images, and their ids."""
    freed: int = 0
    """Bytes."""


def nobody() -> InUse:
    """No image is in use."""
    return {}


def remove(store: Store, reference: str, users: Users = nobody, force: bool = False) -> tuple[str, ...]:
    """Take a name from its image, and delete the image with its last name; what was removed, in words of names.

    An image that containers were made from, as `users` say, keeps its content: its last name goes only with `force`.
    An id removes all names. Raises ImageError where it is missing or in use.
    """
    if host.is_reserved(reference):
        raise ImageError("cannot remove `host`: it is part of composer")
    with store.deleting():
        in_use = users()
        entry = store.entry(reference)
        if entry is None:
            raise store.missing(reference)
        record = store.record(entry)
        if record.damage:
            return _forget_damaged(store, entry, record, in_use)
        image = store.image(entry)
        # Asked for by id, all that leads to the image goes.
        name = reference_of(entry) if means(reference, entry) else None
        same = [item for item in store.entries() if store.record(item).id == image.id]
        names = [other for item in same if (other := reference_of(item))]
        made = [user for each in store.record(entry).ids for user in in_use.get(each, ())]
        going = [other for other in names if name and _goes_with(other, name)]
        if made and (name is None or len(names) == len(going)) and not (force and name):
            raise _in_use(image, made)
        if name and (made or len(names) > len(going)):
            for other in going:
                store.index.unname(other)
            return tuple(other.familiar() for other in going)
        for item in same:
            store.index.drop(item)
        store.collect()
        return (*(other.familiar() for other in names), image.id)


def prune(store: Store, users: Users = nobody, criteria: Criteria = DANGLING) -> Pruned:
    """Delete the images that `criteria` chooses and no container was made from."""
    with store.deleting():
        before = store.list()
        gone = choose(before, frozenset(users()), criteria)
        entries = store.entries()
        for entry in entries:
            if str(entry.digest) in {record.manifest for record in gone}:
                store.index.drop(entry)
        store.collect()
        names = [record.reference.familiar() for record in gone if record.reference]
        freed = used_bytes(before) - used_bytes(store.list())
        return Pruned((*names, *dict.fromkeys(record.id for record in gone)), freed)


def drop_blobs(store: Store) -> int:
    """Delete the layers' blobs of images that can be pulled again and are unpacked; the bytes freed."""
    with store.deleting():
        keep: set[Digest] = set()
        candidates: dict[Digest, int] = {}
        for entry in store.entries():
            if store.record(entry).damage:
                continue
            for layer, chain in store.layers(entry):
                if origin_of(entry) and store.snapshots.has(chain):
                    candidates[layer.digest] = store.blobs.size(layer.digest) or 0
                else:
                    keep.add(layer.digest)
        chosen = {digest: size for digest, size in candidates.items() if digest not in keep}
        for digest in chosen:
            store.blobs.remove(digest)
        return sum(chosen.values())


def _forget_damaged(store: Store, entry: Descriptor, record: ImageRecord, in_use: InUse) -> tuple[str, ...]:
    """Drop an image that cannot be read. Whose image an unknown id was, nobody can tell: then its content stays."""
    known = {each for other in store.list() if not other.damage for each in other.ids}
    users = [name for identifier, names in in_use.items() if identifier not in known for name in names]
    name = record.reference.familiar() if record.reference else record.id
    if users:
        raise ImageError(
            f"cannot remove image `{name}`: it is damaged, and container `{users[0]}` may have been made from it",
            hint=f"`compose image pull {name}` heals it; or remove the container first",
        )
    store.index.drop(entry)
    store.collect()
    return (name,)


def _goes_with(name: Reference, removed: Reference) -> bool:
    """Whether a name is the removed one, or the same with the digest that it was pulled by."""
    return name == removed or (name.digest is not None and replace(name, digest=None) == removed)


def _in_use(image: Image, users: Sequence[str]) -> ImageError:
    names = ", ".join(f"`{name}`" for name in users)
    return ImageError(
        f"cannot remove image `{image.name}`: {'containers' if len(users) > 1 else 'container'} {names} "
        f"{'were' if len(users) > 1 else 'was'} made from it",
        hint="remove them first with `compose down` or `compose rm`",
    )
