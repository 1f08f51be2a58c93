"""Deleting what no image needs any more."""

from __future__ import annotations

from collections.abc import Iterable

from composer.image.blobs import Blobs
from composer.image.entries import manifests_of
from composer.image.snapshot import Snapshots
from composer.oci.config import ImageConfig, chain_ids
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest


def collect(entries: Iterable[Descriptor], blobs: Blobs, snapshots: Snapshots) -> None:
    """Delete the blobs and snapshots that no entry of the index leads to, but for snapshots that are kept.

    To be called while nobody adds content. Raises ImageError, before anything is deleted, where an entry cannot be
    followed: what it leads to is unknown then.
    """
    digests, chains = needed(entries, blobs)
    for chain in set(snapshots.all()) - chains:
        if not snapshots.is_kept(chain):
            snapshots.remove(chain)
    for digest in set(blobs.all()) - digests:
        blobs.remove(digest)


def needed(entries: Iterable[Descriptor], blobs: Blobs) -> tuple[set[Digest], set[Digest]]:
    """The blobs and the snapshots that the entries lead to. Raises ImageError where one cannot be followed."""
    digests: set[Digest] = set()
    chains: set[Digest] = set()
    for entry in entries:
        digests.add(entry.digest)
        for manifest_entry in manifests_of(entry, blobs):
            manifest = Manifest.parse(blobs.document(manifest_entry))
            config = ImageConfig.parse(blobs.document(manifest.config))
            digests.update(
                (manifest_entry.digest, manifest.config.digest, *(layer.digest for layer in manifest.layers))
            )
            chains.update(chain_ids(config.diff_ids))
    return digests, chains
