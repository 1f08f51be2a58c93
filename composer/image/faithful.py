"""Whether an unpacked layer still has what its archive has: containers run the files, not the blob.

Sizes and contents of regular files are compared, as they come out of the archive and without writing anything; what damages a
disk shows there. Where the archive has a name twice, the last one counts, as it did when the layer was unpacked.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from composer.image.compression import Readable
from composer.image.header import Kind, printable
from composer.image.layer import DEFAULT_LIMITS
from composer.image.reader import TarReader
from composer.image.stream import LayerStream, Limits
from composer.image.tree import split
from composer.kernel.path import openat2

_MARK = b".wh."
_ANOTHER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
_UNKNOWABLE = (errno.ENAMETOOLONG, errno.EACCES)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


def first_unlike(blob: Readable, root: Path, limits: Limits = DEFAULT_LIMITS) -> str:
    """The first file below `root`, by name, that the archive in `blob` has otherwise; "" where all are as it says.

    Raises ImageError for a damaged archive, OSError for a tree that cannot be read.
    """
    unlike: set[bytes] = set()
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        reader = TarReader(LayerStream(blob, limits, keep=False), limits)
        for header in reader:
            parts = split(header.name)
            if any(part.startswith(_MARK) for part in parts):
                continue
            name = b"/".join(parts)
            unlike.discard(name)
            if unlike and header.kind is not Kind.DIRECTORY:
                unlike = {other for other in unlike if not other.startswith(name + b"/")}
            if header.kind is Kind.FILE and not _is_alike(reader, descriptor, name):
                unlike.add(name)
    finally:
        os.close(descriptor)
    return printable(min(unlike)) if unlike else ""


def _is_alike(reader: TarReader, root: int, name: bytes) -> bool:
    """Whether the file that is at `name` has the size and the data of the reader's current entry."""
    try:
        # An archive may lead through its own links: they stay inside, as they did when it was unpacked.
        file = openat2(root, os.fsdecode(name), _READ)
    except OSError as error:
        if error.errno in _UNKNOWABLE:
            return True
        if error.errno in _ANOTHER:
            return False
        raise
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size != reader.size:
            return False
        return all(os.pread(file, len(data), offset) == data for offset, data in reader.data())
    finally:
        os.close(file)
