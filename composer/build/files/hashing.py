"""Contents of files as SHA-256, and the attributes that go with them."""

from __future__ import annotations

import errno
import hashlib
import os

from composer.build.files.entry import Attributes
from composer.image.merged import READ

_CHUNK = 1 << 20
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.ENODATA, errno.EPERM)


def hash_file(name: str, directory: int, size: int) -> tuple[bytes, Attributes] | None:
    """The digest of the first `size` bytes of a regular file, and the attributes that belong to it; None if it is shorter.

    One that grows is a log, most likely: what was there when it was looked at is what counts. Raises OSError.
    """
    descriptor = os.open(name, READ, dir_fd=directory)
    try:
        content = hash_open(descriptor, size)
        return None if content is None else (content, read_attributes(descriptor))
    finally:
        os.close(descriptor)


def hash_open(descriptor: int, size: int) -> bytes | None:
    """The digest of the first `size` bytes of an open file; None if it is shorter. Raises OSError."""
    data = os.read(descriptor, min(size, _CHUNK)) if size else b""
    hashed, left = hashlib.sha256(data), size - len(data)
    while left and (data := os.read(descriptor, min(left, _CHUNK))):
        hashed.update(data)
        left -= len(data)
    return None if left else hashed.digest()


def read_attributes(descriptor: int) -> Attributes:
    """The extended attributes that mean something inside a container, as layers keep them."""
    try:
        names = os.listxattr(descriptor)
        if not names:
            return ()
        wanted = sorted(name for name in names if belongs(name))
        return tuple((name, os.getxattr(descriptor, name)) for name in wanted)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return ()
        raise


def belongs(attribute: str) -> bool:
    """Whether an attribute goes into an image: labels of SELinux and overlay's own marks are the host's."""
    return attribute == "security.capability" or (
        attribute.startswith("user.") and not attribute.startswith("user.overlay.")
    )
