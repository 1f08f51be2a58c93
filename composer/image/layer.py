"""Unpacking one layer: a blob in, a directory for overlay and the layer's digests out, in one pass."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from composer.errors import ImageError
from composer.image.apply import LayerWriter
from composer.image.compression import Readable
from composer.image.ownership import Ownership
from composer.image.reader import TarReader
from composer.image.stream import Content, LayerStream, Limits

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a layer turned out to be."""

    content: Content
    compression: str
    """Of the blob that was kept: `gzip`, `zstd` or empty."""
    entries: int
    newest: int
    """The latest modification time in it, nanoseconds since the epoch; 0 for an empty layer."""


def unpack(
    source: Readable,
    directory: Path,
    ownership: Ownership,
    limits: Limits = DEFAULT_LIMITS,
    copy: BinaryIO | None = None,
) -> Unpacked:
    """Unpack the layer in `source` into `directory`, which must not exist, and write the blob to `copy`.

    A blob in a compression that OCI does not name is copied uncompressed. On failure the directory holds a part of the
    layer; the caller removes it. Raises ImageError for a bad archive and for a disk that does not take it.
    """
    directory.mkdir()
    directory.chmod(0o755)
    stream = LayerStream(source, limits, copy)
    writer = LayerWriter(directory, ownership, limits)
    try:
        writer.write(TarReader(stream, limits))
        content = stream.finish()
    except OSError as error:
        hint = "free some space, or move the data directory with COMPOSER_DATA" if error.errno == errno.ENOSPC else ""
        raise ImageError(f"cannot unpack the layer: {(error.strerror or str(error)).lower()}", hint=hint) from error
    return Unpacked(content, stream.compression, writer.entries, writer.newest)
