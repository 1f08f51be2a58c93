"""`compose image save`: images as one tar that is an OCI archive and a Docker archive at once, as Docker saves since 25.

`oci-layout`, `index.json` and `blobs/` follow the OCI image layout
<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>; `manifest.json` names the same blobs for
those who read Docker's format <https://github.com/moby/docker-image-spec/blob/main/spec.md>. The same images give the same
bytes: members are sorted, without times, owners or host names.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, BinaryIO, cast

from composer.errors import ImageError
from composer.image.image import Image
from composer.image.index import CONTAINERD_NAME, REF_NAME
from composer.image.materialise import materialise
from composer.image.store import Store
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest, encode
from composer.oci.reference import Reference


def save(store: Store, references: Sequence[str], path: Path) -> None:
    """Write the images `references` to `path`, which is replaced once the archive is whole; a device is written into.

    Blocks as long as that takes. Raises ImageError for an image that is not there or whose layers are damaged or
    missing, and for what cannot be written; then `path` is as it was.
    """
    try:
        with store.adding():
            if path.exists() and not path.is_file():
                with path.open("wb") as file:
                    _write(store, references, file)
                return
            with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                try:
                    _write(store, references, cast(BinaryIO, file))
                    file.flush()
                    os.fchmod(file.fileno(), 0o644)
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink()
                    raise
    except OSError as error:
        raise ImageError(f"cannot save to `{path}`: {(error.strerror or str(error)).lower()}") from error


def _write(store: Store, references: Sequence[str], file: BinaryIO) -> None:
    index: list[Descriptor] = []
    docker: dict[Digest, dict[str, object]] = {}
    blobs: dict[Digest, Descriptor] = {}
    for reference in dict.fromkeys(references):
        image, digest = _found(store, reference)
        for each in store.each(reference):
            materialise(store, each)
            child = _manifest_of(store, each)
            for blob in (child[0], child[1].config, *child[1].layers):
                blobs[blob.digest] = blob
        described, manifest = _manifest_of(store, image)
        entry = store.entry(reference) or described
        blobs[entry.digest] = entry
        names = {REF_NAME: str(image.reference), CONTAINERD_NAME: str(image.reference)} if image.reference else {}
        index.append(replace(entry, annotations=names))
        item = docker.setdefault(
            digest,
            {
                "Config": _member(manifest.config),
                "RepoTags": [],
                "Layers": [_member(layer) for layer in manifest.layers],
            },
        )
        if image.reference and isinstance(tags := item["RepoTags"], list):
            tags.append(_tagged(image.reference))
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for digest in sorted(blobs, key=str):
            _add_blob(archive, store, blobs[digest])
        _add(archive, "index.json", Index(tuple(index)).to_bytes())
        _add(archive, "manifest.json", json.dumps(list(docker.values()), separators=(",", ":")).encode())
        _add(archive, "oci-layout", encode({"imageLayoutVersion": "1.0.0"}))


def _found(store: Store, reference: str) -> tuple[Image, Digest]:
    image = store.find(reference)
    if image is None:
        raise store.missing(reference)
    if image.manifest is None:
        raise ImageError(
            f"cannot save `{reference}`: it is made of this machine's own files, which are in no layer",
            hint="save an image that was pulled, built, loaded or imported",
        )
    return image, image.manifest


def _manifest_of(store: Store, image: Image) -> tuple[Descriptor, Manifest]:
    assert image.manifest is not None
    data = store.blobs.path(image.manifest).read_bytes()
    manifest = Manifest.parse(data)
    return Descriptor.of(manifest.media_type, data), manifest


def _member(blob: Descriptor) -> str:
    return f"blobs/{blob.digest.algorithm}/{blob.digest.hex}"


def _tagged(reference: Reference) -> str:
    name = reference.familiar()
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_header(name, len(data)), io.BytesIO(data))


def _add_blob(archive: tarfile.TarFile, store: Store, blob: Descriptor) -> None:
    if not store.blobs.has(blob):
        raise ImageError(
            f"cannot save layer {blob.digest}: its blob is missing or has another size than it should",
            hint="`compose image verify` names what is damaged; pull or load the image again",
        )
    with store.blobs.open(blob) as file:
        hashed = _Hashed(file, blob.digest.algorithm)
        archive.addfile(_header(_member(blob), blob.size), cast(IO[bytes], hashed))
    if hashed.hexdigest() != blob.digest.hex:
        raise ImageError(
            f"cannot save {blob.digest}: what is stored has another digest",
            hint="`compose image verify --repair`, then pull or load the image again",
        )


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size
    return header


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO, algorithm: str) -> None:
        self._file = file
        self._hash = hashlib.new(algorithm)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
