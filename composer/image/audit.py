"""`compose image verify`: whether everything that images lead to is there and is what its digest says.

Reads every blob once. Snapshots were verified when they were made and are shown only whole; that they are still there is
what can be said of them without unpacking their blobs again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.errors import ImageError
from composer.image.entries import manifest_of, manifests_of
from composer.image.index import reference_of
from composer.image.store import Store
from composer.image.verify import check_layers
from composer.oci.config import ImageConfig, chain_ids
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it should be."""

    image: str
    """The name or id people know the image by."""
    problem: str
    hint: str
    blob: Digest | None = None
    """The damaged blob, where it is one that is there."""


def verify(store: Store, references: Sequence[str] = (), *, repair: bool = False) -> tuple[Damage, ...]:
    """What is damaged of the images `references`, or of all; empty where all is well.

    With `repair` damaged blobs are deleted, so that the next pull or load brings them again. Raises ImageError for an
    image that is not there.
    """
    entries = store.entries()
    if references:
        chosen = []
        for reference in references:
            entry = store.entry(reference)
            if entry is None:
                raise store.missing(reference)
            chosen.append(entry)
        entries = tuple(chosen)
    known: dict[Digest, str] = {}
    found = tuple(damage for entry in entries for damage in _check(store, entry, known))
    if repair:
        with store.deleting():
            for digest in {damage.blob for damage in found if damage.blob}:
                store.blobs.remove(digest)
    return found


def _check(store: Store, entry: Descriptor, known: dict[Digest, str]) -> Iterator[Damage]:
    reference = reference_of(entry)
    name = reference.familiar() if reference else entry.digest.short
    again = f"`compose image pull {name}`, or load it again" if reference else "load or pull the image again"
    try:
        children = manifests_of(entry, store.blobs)
        if len(children) > 1:
            for child in children:
                yield from _check(store, child.annotated(entry.annotations), known)
            return
        _, manifest = manifest_of(entry, store.blobs)
        config = ImageConfig.parse(store.blobs.document(manifest.config))
        check_layers(manifest, config)
    except ImageError as error:
        there = store.blobs.size(entry.digest) is not None and _problem(store.blobs.path(entry.digest), entry)
        yield Damage(name, error.message, again, entry.digest if there else None)
        return
    for layer, chain in zip(manifest.layers, chain_ids(config.diff_ids), strict=True):
        unpacked = store.snapshots.has(chain)
        if store.blobs.size(layer.digest) is None:
            if not unpacked:
                yield Damage(name, f"layer {layer.digest} is missing", again)
            continue
        if layer.digest not in known:
            known[layer.digest] = _problem(store.blobs.path(layer.digest), layer)
        if known[layer.digest]:
            repairing = f"`compose image verify --repair {name}`, then {again}"
            yield Damage(name, f"layer {layer.digest} {known[layer.digest]}", repairing, layer.digest)


def _problem(path: Path, descriptor: Descriptor) -> str:
    """What is wrong with the blob at `path`; empty where nothing is."""
    size = path.stat().st_size
    if size != descriptor.size:
        return f"has {size} bytes instead of {descriptor.size}"
    hashed = hashlib.new(descriptor.digest.algorithm)
    try:
        with path.open("rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                hashed.update(data)
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    return "" if hashed.hexdigest() == descriptor.digest.hex else "has another content than its digest says"
