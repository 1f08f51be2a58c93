"""`compose image verify`: whether everything that images lead to is there and is what its digest says.

Reads every blob, and every unpacked layer beside it, once: containers run the latter. A layer that was built here is unpacked
only, and is what its digest says where it reads as the archive that it will be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from composer.errors import ImageError
from composer.image.entries import manifest_of, manifests_of
from composer.image.faithful import first_unlike
from composer.image.index import origin_of, reference_of
from composer.image.remove import InUse, Users, nobody
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
    chain: Digest | None = None
    """The damaged snapshot, where it is one."""


@dataclass(slots=True)
class _Known:
    """What was found of content that several images have; "" where all is well."""

    blobs: dict[Digest, str] = field(default_factory=dict)
    chains: dict[Digest, str] = field(default_factory=dict)


def verify(
    store: Store, references: Sequence[str] = (), *, repair: bool = False, users: Users = nobody
) -> tuple[Damage, ...]:
    """What is damaged of the images `references`, or of all; empty where all is well.

    With `repair` damaged blobs are deleted, so that the next pull or load brings them again, and damaged snapshots that no
    container uses, so that the next use unpacks or builds them again. Raises ImageError for an image that is not there.
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
    known = _Known()
    found = tuple(damage for entry in entries for damage in _check(store, entry, known))
    if repair:
        with store.deleting():
            for digest in {damage.blob for damage in found if damage.blob}:
                store.blobs.remove(digest)
            for chain in {damage.chain for damage in found if damage.chain} - _in_use(store, users()):
                store.snapshots.remove(chain)
    return found


def _in_use(store: Store, in_use: InUse) -> set[Digest]:
    """The snapshots that containers are made of."""
    records = ((entry, store.record(entry)) for entry in store.entries())
    used = (entry for entry, record in records if not record.damage and not record.ids.isdisjoint(in_use))
    return {chain for entry in used for _, chain in store.layers(entry)}


def _check(store: Store, entry: Descriptor, known: _Known) -> Iterator[Damage]:
    reference = reference_of(entry)
    name = reference.familiar() if reference else entry.digest.short
    again = f"`compose image pull {name}`" if reference and origin_of(entry) else "build, load or import it again"
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
    repairing = f"`compose image verify --repair {name}`"
    for layer, diff_id, chain in zip(manifest.layers, config.diff_ids, chain_ids(config.diff_ids), strict=True):
        is_stored, is_unpacked = store.blobs.size(layer.digest) is not None, store.snapshots.has(chain)
        if not is_stored and not is_unpacked:
            yield Damage(name, f"layer {layer.digest} is missing", again)
        if is_stored and layer.digest not in known.blobs:
            known.blobs[layer.digest] = _problem(store.blobs.path(layer.digest), layer)
        if is_stored and known.blobs[layer.digest]:
            hint = f"{repairing}, then {again}"
            yield Damage(name, f"layer {layer.digest} {known.blobs[layer.digest]}", hint, layer.digest)
        elif is_unpacked:
            if chain not in known.chains:
                # What was pulled and of which the blob was dropped can be fetched again: it need not be as we would write it.
                is_written = layer.digest == diff_id and origin_of(entry) is None
                known.chains[chain] = _unlike(store, layer, chain, is_stored=is_stored, is_written=is_written)
            if not known.chains[chain]:
                continue
            if is_stored or store.snapshots.is_kept(chain):
                then = "it is unpacked again when it is next used" if is_stored else again
                hint = f"remove the containers that use it (`compose down`), {repairing}, then {then}"
                yield Damage(name, f"layer {layer.digest} {known.chains[chain]}", hint, chain=chain)
            else:  # nothing says that its files were others: the archive may have been another program's
                yield Damage(
                    name, f"layer {layer.digest} {known.chains[chain]}: it can be neither saved nor pushed", again
                )


def _unlike(store: Store, layer: Descriptor, chain: Digest, *, is_stored: bool, is_written: bool) -> str:
    """What is wrong with an unpacked layer, as far as it can be told; empty where nothing is."""
    try:
        if is_stored:
            with store.blobs.open(layer) as blob:
                file = first_unlike(blob, store.snapshots.path(chain))
            return f"is unpacked with another `{file}` than it has" if file else ""
        if is_written and store.snapshots.measure(store.snapshots.path(chain))[0] != layer.digest:
            return "is there only unpacked, and is not what its digest says"
    except OSError as error:
        return f"cannot be read where it is unpacked: {(error.strerror or str(error)).lower()}"
    return ""


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
