"""Content by digest: `blobs/<algorithm>/<hex>` of an OCI image layout.

A blob is written beside its place, synchronised, and renamed: under its name there is the whole content or nothing,
whatever crashes. Of many that come at once the disk is waited for once, before a name leads to them (`disk`). Storing
what is stored is fine and changes nothing.
<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from composer.errors import ImageError
from composer.image.staging import staging
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.fields import MAX_DOCUMENT


class Blobs:
    """The blobs of the image layout at `layout`."""

    def __init__(self, layout: Path) -> None:
        self._layout = layout

    def path(self, digest: Digest) -> Path:
        """Where the content is, if it is."""
        return self._layout / "blobs" / digest.algorithm / digest.hex

    def size(self, digest: Digest) -> int | None:
        """Bytes of the content; None where it is not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the content is there in full length."""
        return self.size(descriptor.digest) == descriptor.size

    def put(self, data: bytes, *, settled: bool = True) -> Digest:
        """Store `data`, as `adopt` does; a damaged blob in its place is replaced."""
        digest = Digest.of(data)
        if not self._holds(digest, data):
            with staging(self._layout) as directory:
                path = directory / digest.hex
                path.write_bytes(data)
                self.adopt(path, digest, settled=settled)
        return digest

    def _holds(self, digest: Digest, data: bytes) -> bool:
        try:
            return self.path(digest).read_bytes() == data
        except OSError:
            return False

    def adopt(self, path: Path, digest: Digest, *, settled: bool = True) -> None:
        """Move a complete file, whose content was found to be `digest`, to its place.

        Without `settled` the caller sees to it that it comes to the disk.
        """
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        if settled:
            synchronise(path)
        path.replace(target)
        if settled:
            synchronise(target.parent)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The content as a file. Raises ImageError where it is missing."""
        try:
            return self.path(descriptor.digest).open("rb")
        except FileNotFoundError as error:
            raise ImageError(
                f"cannot read {descriptor.digest}: it is missing from the image store",
                hint="import or load the image again",
            ) from error

    def document(self, descriptor: Descriptor) -> bytes:
        """A manifest or config, checked against digest and size. Raises ImageError where it is not what it should be."""
        with self.open(descriptor) as file:
            return read_document(file, descriptor)

    def all(self) -> Iterator[Digest]:
        """Every blob there is; files that are none are left alone."""
        directory = self._layout / "blobs" / "sha256"
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            try:
                yield Digest.parse(f"sha256:{path.name}")
            except ImageError:
                continue

    def remove(self, digest: Digest) -> None:
        """Drop a blob; nothing there is fine."""
        self.path(digest).unlink(missing_ok=True)


def read_document(file: BinaryIO, descriptor: Descriptor) -> bytes:
    """A manifest or config from anywhere, checked against its descriptor. Raises ImageError."""
    if descriptor.size > MAX_DOCUMENT:
        raise ImageError(f"cannot read {descriptor.digest}: {descriptor.size} bytes are too many for a document")
    data = file.read(descriptor.size + 1)
    if len(data) != descriptor.size or Digest.of(data) != descriptor.digest:
        raise ImageError(f"cannot use {descriptor.digest}: the content is not what the digest or size says")
    return data


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file `path` by `data`, so that readers and crashes see the old or the new content, never a part."""
    with staging(path.parent) as directory:
        temporary = directory / path.name
        temporary.write_bytes(data)
        synchronise(temporary)
        temporary.replace(path)
        synchronise(path.parent)


def synchronise(path: Path) -> None:
    """`fsync(2)` of a file or directory."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
