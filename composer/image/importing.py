"""`compose image import`: a root file system, as tar or directory, becomes an image of one layer.

The same file system with the same changes gives the same image id again, so importing twice changes nothing and no
container is made anew. That is why an image's creation time here is the newest time in it, not the time of the import.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from composer.errors import ImageError
from composer.image.changes import apply_changes
from composer.image.compression import GZIP, ZSTD, Readable
from composer.image.image import Image
from composer.image.layer import Unpacked
from composer.image.staging import staging
from composer.image.store import Store, refuse_reserved
from composer.image.writer import TreeArchive
from composer.oci import media_types
from composer.oci.config import History, ImageConfig
from composer.oci.descriptor import Descriptor
from composer.oci.manifest import Manifest
from composer.oci.platform import this_platform
from composer.oci.reference import parse

LAYER_TYPES = {GZIP: media_types.OCI_LAYER_GZIP, ZSTD: media_types.OCI_LAYER_ZSTD, "": media_types.OCI_LAYER}

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def import_rootfs(store: Store, path: Path, reference: str, changes: Sequence[str] = ()) -> Image:
    """Import the root file system at `path`, a tar archive in any compression or a directory, as `reference`.

    `changes` are Dockerfile instructions for its configuration. Blocks as long as reading and unpacking takes. Raises
    ImageError for what cannot be read, is no archive or has nothing in it, UsageError for a wrong change; then the
    store is as it was.
    """
    refuse_reserved(reference)
    name = parse(reference)
    if name.digest:
        raise ImageError(f"cannot import as `{reference}`: a digest cannot be chosen", hint="name a tag instead")
    platform = this_platform()
    base = ImageConfig(architecture=platform.architecture, os=platform.os, variant=platform.variant, env=(_PATH,))
    config = apply_changes(base, changes)
    with store.adding():
        unpacked = _store_layer(store, path)
        if not unpacked.entries:
            raise ImageError(f"cannot import `{path}`: there is nothing in it")
        if _holds_images(store.snapshots.path(unpacked.content.diff_id)):
            raise ImageError(
                f"cannot import `{path}`: it holds saved images, not a root file system",
                hint=f"use `compose image load {path}`",
            )
        config = replace(
            config,
            diff_ids=(unpacked.content.diff_id,),
            created=_time(unpacked.newest),
            history=(History(created=_time(unpacked.newest), comment="imported"),),
        )
        data = config.to_bytes()
        store.blobs.put(data)
        layer = Descriptor(LAYER_TYPES[unpacked.compression], unpacked.content.digest, unpacked.content.size)
        return store.add(Manifest(Descriptor.of(media_types.OCI_CONFIG, data), (layer,)).to_bytes(), name)


def _holds_images(tree: Path) -> bool:
    """Whether this is what `save` writes, and nothing beside it."""
    names = {each.name for each in tree.iterdir()}
    return bool(names & {"oci-layout", "manifest.json"}) and not any(
        (tree / name).is_dir() for name in ("bin", "usr", "etc")
    )


def _store_layer(store: Store, path: Path) -> Unpacked:
    with ExitStack() as stack:
        blob = stack.enter_context(staging(store.layout)) / "layer"
        try:
            source: Readable = TreeArchive(path) if path.is_dir() else stack.enter_context(path.open("rb", buffering=0))
            with blob.open("wb") as copy:
                unpacked = store.snapshots.unpack(source, copy=copy)
            store.blobs.adopt(blob, unpacked.content.digest)
        except OSError as error:
            raise ImageError(f"cannot import `{path}`: {(error.strerror or str(error)).lower()}") from error
        except ImageError as error:
            raise ImageError(f"cannot import `{path}`: {error.message}", hint=error.hint) from error
    return unpacked


def _time(nanoseconds: int) -> str:
    latest = min(max(nanoseconds // 1_000_000_000, 0), 253402300799)  # the last second of the year 9999
    return datetime.fromtimestamp(latest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
