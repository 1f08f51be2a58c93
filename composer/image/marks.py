"""The marks by which overlay hides what is in lower layers, as this process can make them (overlayfs.rst)."""

from __future__ import annotations

import errno
import os
import stat

from composer.errors import ImageError
from composer.image.ownership import Ownership

_READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Name = str | bytes


def whiteout(parent: int, name: Name, ownership: Ownership) -> None:
    """Hide `name` of the layers below the directory `parent`. Raises FileExistsError where the layer itself has it.

    Raises ImageError as `mark` does.
    """
    try:
        os.mknod(name, stat.S_IFCHR | 0o600, os.makedev(0, 0), dir_fd=parent)
    except PermissionError:
        # Kernels before 5.8 let no user namespace make 0:0, an overlay nobody; it also takes an attribute (6.7, userxattr).
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        try:
            _set(descriptor, "whiteout", b"y", ownership)
        finally:
            os.close(descriptor)
        mark(parent, "opaque", b"x", ownership)


def mark(directory: int, attribute: str, value: bytes, ownership: Ownership) -> None:
    """Set one of overlay's marks on a directory, whatever its descriptor was opened for.

    Raises ImageError where the file system keeps none.
    """
    descriptor = os.open(".", _READ_DIRECTORY, dir_fd=directory)
    try:
        _set(descriptor, attribute, value, ownership)
    finally:
        os.close(descriptor)


def _set(descriptor: int, attribute: str, value: bytes, ownership: Ownership) -> None:
    try:
        os.setxattr(descriptor, ownership.overlay_attributes + attribute, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        raise ImageError(
            "cannot unpack a layer that hides directories of others: the file system of the data directory keeps no "
            "extended attributes",
            hint="move it to another disk with COMPOSER_DATA",
        ) from error
