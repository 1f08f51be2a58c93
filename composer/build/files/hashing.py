"""Contents of files as SHA-256, and the attributes that go with them."""

from __future__ import annotations

import errno
import hashlib
import os

from composer.build.files.entry import Attributes
from composer.image.merged import READ

_CHUNK = 1 << 20
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.ENODATA, errno.EPERM)


def hash_file(name: str, directory: int, size: int) -> tuple[bytes, Attributes, int]:
    """The digest of a regular file's content, the attributes that belong to it, and how long it was; `size` is expected.

    Raises OSError.
    """
    descriptor = os.open(name, READ, dir_fd=directory)
    try:
        wanted = min(size + 1, _CHUNK)
        data = os.read(descriptor, wanted)
        length = len(data)
        hashed = hashlib.sha256(data)
        if length == wanted:  # of a regular file the kernel gives less only at its end
            while data := os.read(descriptor, _CHUNK):
                hashed.update(data)
                length += len(data)
        return hashed.digest(), read_attributes(descriptor), length
    finally:
        os.close(descriptor)


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
