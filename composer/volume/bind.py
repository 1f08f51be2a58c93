"""The source of a bind mount, made where Compose makes it.

<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#volumes>: the short syntax, and the long one with
`create_host_path`, make a missing source as a directory; otherwise a missing source is an error.
"""

from __future__ import annotations

import os
from pathlib import Path

from composer.errors import ContainerError

_ENTER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def prepare_bind(source: str, create_host_path: bool) -> Path:
    """The source's path, which exists afterwards; what was missing are directories owned like the nearest that was not.

    An engine of root's would otherwise litter its user's project with directories that the user cannot delete. Raises
    ContainerError where it is missing and must not or cannot be made.
    """
    path = Path(source)
    if not path.is_absolute():
        raise ContainerError(f"cannot bind `{source}`: the path is not absolute")
    if path.exists():
        return path
    if path.is_symlink():
        raise ContainerError(f"cannot bind `{source}`: it is a symlink to `{path.readlink()}`, which does not exist")
    if not create_host_path:
        raise ContainerError(
            f"cannot bind `{source}`: no such file or directory",
            hint="make it first, or set `bind.create_host_path: true`",
        )
    try:
        _make(path)
    except OSError as error:
        raise ContainerError(
            f"cannot bind `{source}`: it does not exist and cannot be made: {(error.strerror or str(error)).lower()}",
            errno=error.errno or 0,
        ) from error
    return path


def _make(path: Path) -> None:
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    parent = os.open(missing[-1].parent, _ENTER)
    try:
        owner = os.fstat(parent)
        for directory in reversed(missing):
            try:
                os.mkdir(directory.name, 0o755, dir_fd=parent)
                made = True
            except FileExistsError:  # somebody else made it just now; it is theirs
                made = False
            # Not by path: whoever owns the parent could have put a symlink in the way of chown(2).
            child = os.open(directory.name, _ENTER | (os.O_NOFOLLOW if made else 0), dir_fd=parent)
            os.close(parent)
            parent = child
            if made:
                _own(child, owner)
    finally:
        os.close(parent)


def _own(directory: int, owner: os.stat_result) -> None:
    """Give a new directory its parent's owner; as an ordinary user all of this is one's own anyway."""
    status = os.fstat(directory)
    if (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid):
        return
    try:
        os.chown(f"/proc/self/fd/{directory}", owner.st_uid, owner.st_gid)
    except OSError:
        if os.geteuid() == 0 and owner.st_uid != _OVERFLOW:
            raise


_OVERFLOW = 65534
"""How ids show that do not exist in our user namespace."""
