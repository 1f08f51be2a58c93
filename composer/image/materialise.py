"""Layers that exist only as snapshots, written out as blobs.

What is built here is kept unpacked: its manifest names an uncompressed layer, whose digest is the DiffID, and the blob is
written when somebody needs it, for a push or an archive. The writer is deterministic, so the blob has that digest.
"""

from __future__ import annotations

import hashlib

from composer.errors import ImageError
from composer.image.image import Image
from composer.image.staging import staging
from composer.image.store import Store
from composer.oci.config import chain_ids
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest

_CHUNK = 1 << 20


def materialise(store: Store, image: Image) -> None:
    """Have the blob of every layer of `image`; those that are there stay. To be called while `Store.adding`.

    Raises ImageError for a layer that is in no snapshot, or whose snapshot is not what it was any more.
    """
    if image.manifest is None:
        return
    manifest = Manifest.parse(store.blobs.path(image.manifest).read_bytes())
    diff_ids = image.config.diff_ids
    for layer, diff_id, chain in zip(manifest.layers, diff_ids, chain_ids(diff_ids), strict=True):
        if not store.blobs.has(layer):
            if layer.digest != diff_id or not store.snapshots.has(chain):
                raise _not_there(image, layer)
            write_layer(store, layer, chain, f"`{image.name}`")


def write_layer(store: Store, layer: Descriptor, chain: Digest, owner: str) -> None:
    """Write the blob of a layer that is unpacked at `chain`; `owner` is whose it is, for errors.

    To be called while `Store.adding`. Raises ImageError where the snapshot is not what it was any more.
    """
    archive, hashed = store.snapshots.archive(chain), hashlib.sha256()
    try:
        with staging(store.layout) as directory:
            path = directory / "layer"
            with path.open("wb") as file:
                while data := archive.read(_CHUNK):
                    hashed.update(data)
                    file.write(data)
            if hashed.hexdigest() != layer.digest.hex:
                raise ImageError(
                    f"cannot write layer {layer.digest} of {owner}: its unpacked files have changed",
                    hint="build, pull or load the image again",
                )
            store.blobs.adopt(path, layer.digest)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ImageError(f"cannot write layer {layer.digest} of {owner}: {reason}") from error


def _not_there(image: Image, layer: Descriptor) -> ImageError:
    return ImageError(
        f"cannot read layer {layer.digest} of `{image.name}`: it is missing from the image store",
        hint=f"`compose image pull {image.name}`, or load it again",
    )
