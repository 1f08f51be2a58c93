"""Cached steps as an image, for a registry or a directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from composer.build.cache import Record
from composer.build.exchange.document import CacheDocument, within
from composer.errors import ImageError
from composer.image.blobs import Blobs, write_atomically
from composer.image.index import REF_NAME
from composer.image.materialise import write_layer
from composer.image.store import Store
from composer.oci import media_types
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest, encode
from composer.oci.platform import this_platform


def cache_image(store: Store, document: CacheDocument) -> bytes:
    """The manifest of an image with these steps; its config and layers are in the store then.

    To be called while `Store.adding`. Blocks while layers are written. Steps whose snapshot is gone are left out.
    """
    records = [record for record in document.records if not record.diff_id or _is_there(store, record)]
    layers = list(_layers(records))
    for layer, chain in layers:
        if not store.blobs.has(layer):
            write_layer(store, layer, chain, "the build cache")
    one = this_platform()
    config = ImageConfig(
        one.architecture,
        one.os,
        tuple(layer.digest for layer, _ in layers),
        one.variant,
        created="1970-01-01T00:00:00Z",
    )
    data = within(config.to_bytes(), replace(document, records=tuple(records)))
    store.blobs.put(data)
    return Manifest(Descriptor.of(media_types.OCI_CONFIG, data), tuple(layer for layer, _chain in layers)).to_bytes()


def write_layout(store: Store, manifest: bytes, directory: Path) -> None:
    """Make `directory` an OCI image layout with the cache image alone; what is there of another stays unused.

    Raises ImageError where it cannot be written.
    """
    parsed = Manifest.parse(manifest)
    entry = Descriptor.of(parsed.media_type, manifest)
    try:
        target = Blobs(directory)
        directory.mkdir(parents=True, exist_ok=True)
        for blob in (*parsed.layers, parsed.config):
            if not target.has(blob):
                _copy(store.blobs.path(blob.digest), target.path(blob.digest))
        target.put(manifest)
        write_atomically(directory / "oci-layout", encode({"imageLayoutVersion": "1.0.0"}))
        name = f"composer.invalid/cache:{entry.digest.hex[:12]}"
        index = Index((replace(entry, annotations={REF_NAME: name}),))
        write_atomically(directory / "index.json", index.to_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ImageError(f"cannot write the build cache to `{directory}`: {reason}") from error


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, temporary)
    temporary.replace(target)


def _is_there(store: Store, record: Record) -> bool:
    return store.snapshots.has(Digest.parse(record.chain))


def _layers(records: Iterable[Record]) -> Iterable[tuple[Descriptor, Digest]]:
    """Each layer once, with a chain whose snapshot has it."""
    seen: set[str] = set()
    for record in records:
        if record.diff_id and record.diff_id not in seen:
            seen.add(record.diff_id)
            yield (
                Descriptor(media_types.OCI_LAYER, Digest.parse(record.diff_id), record.size),
                Digest.parse(record.chain),
            )
