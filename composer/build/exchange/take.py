"""Cached steps out of an image: its layers become the snapshots that the records say they are."""

from __future__ import annotations

from composer.build.cache import Cache
from composer.build.exchange.document import CacheDocument, read
from composer.errors import ImageError
from composer.image.collect import needed
from composer.image.image import Image
from composer.image.store import Store
from composer.oci.config import chain_ids
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest


def take(store: Store, image: Image, cache: Cache, now: float) -> int:
    """Take over the steps that an unpacked image tells of; how many there are.

    What the cache knows already stays as it is. To be called while `Store.adding`. Raises ImageError for a damaged image.
    """
    document = _document(store, image, now)
    if document is None:
        return 0
    # In a cache image layers lie on each other in any order: each is a snapshot, but under a chain that means nothing.
    others = needed([entry for entry in store.entries() if entry.digest != image.manifest], store.blobs)[1]
    places = {
        str(diff_id): chain
        for diff_id, chain in zip(image.config.diff_ids, chain_ids(image.config.diff_ids), strict=True)
        if chain not in others and not store.snapshots.is_kept(chain)
    }
    taken = 0
    for record in document.records:
        if record.diff_id and not _placed(store, Digest.parse(record.chain), places.get(record.diff_id)):
            continue
        if cache.get(record.key) is None:
            cache.put(record)
        taken += 1
    for quick, key in document.aliases:
        if not cache.alias(quick):
            cache.put_alias(quick, key)
    return taken


def _document(store: Store, image: Image, now: float) -> CacheDocument | None:
    if image.manifest is None:
        return None
    manifest = Manifest.parse(store.blobs.path(image.manifest).read_bytes())
    return read(store.blobs.document(manifest.config), now)


def _placed(store: Store, chain: Digest, found: Digest | None) -> bool:
    """Have the snapshot `chain`, from what lies at `found` if need be; whether it is there."""
    snapshots = store.snapshots
    if not snapshots.has(chain):
        if found is None or not snapshots.has(found):
            return False
        try:
            snapshots.move(found, chain)
        except OSError as error:
            raise ImageError(f"cannot use a cached layer: {(error.strerror or str(error)).lower()}") from error
    snapshots.keep(chain)
    return True
