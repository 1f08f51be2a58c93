"""Places inside a root that an image filled: found and made without ever leaving it.

Every lookup is `openat2(2)` with RESOLVE_IN_ROOT and its result is a descriptor, so nobody can swap a symbolic link
between looking and using. What is missing is made one component at a time in a directory already opened; a dangling
link is followed the same way, as if the root were `/`.
"""

from __future__ import annotations

import errno
import os
import stat

from composer.kernel.path import RESOLVE_BENEATH, openat2

MOST_LINKS = 40
"""As the kernel's own limit (`path_resolution(7)`)."""


def find(root: int, path: str, flags: int = os.O_PATH) -> int:
    """A descriptor of what is at `path`, links followed. Raises FileNotFoundError and its kin."""
    return openat2(root, path, flags)


def make_directory(root: int, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0, *, links: int = 0) -> int:
    """A descriptor of the directory `path`, made with its parents if missing; one that is there stays as it is."""
    try:
        return openat2(root, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        parent, name = _make_parent(root, path, links)
    try:
        try:
            os.mkdir(name, mode, dir_fd=parent)
        except FileExistsError:
            return make_directory(root, _behind_link(parent, path, links), mode, uid, gid, links=links + 1)
        if uid or gid:
            os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
        return openat2(parent, name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, resolve=RESOLVE_BENEATH)
    finally:
        os.close(parent)


def make_file(root: int, path: str, *, links: int = 0) -> int:
    """A descriptor of whatever is at `path`, an empty file made with its parents if nothing is."""
    try:
        return openat2(root, path)
    except FileNotFoundError:
        parent, name = _make_parent(root, path, links)
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o644, dir_fd=parent))
        return openat2(parent, name, os.O_PATH | os.O_NOFOLLOW, resolve=RESOLVE_BENEATH)
    except FileExistsError:
        return make_file(root, _behind_link(parent, path, links), links=links + 1)
    finally:
        os.close(parent)


def make_like(root: int, path: str, model: int) -> int:
    """A directory or a file at `path`, whichever the opened `model` is."""
    is_directory = stat.S_ISDIR(os.fstat(model).st_mode)
    return make_directory(root, path) if is_directory else make_file(root, path)


def parent_of(root: int, path: str) -> tuple[int, str]:
    """The directory that `path` belongs in, made if missing and opened, and its last component."""
    return _make_parent(root, path, 0)


def _make_parent(root: int, path: str, links: int) -> tuple[int, str]:
    parent, name = os.path.split(path.rstrip("/"))
    if name in ("", ".", ".."):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL).lower(), path)
    return make_directory(root, parent or "/", links=links), name


def _behind_link(parent: int, path: str, links: int) -> str:
    """Where the dangling link at `path` points, seen from the root."""
    if links >= MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP).lower(), path)
    directory, name = os.path.split(path.rstrip("/"))
    return os.path.join(directory, os.readlink(name, dir_fd=parent))  # noqa: PTH118 - inside another root
