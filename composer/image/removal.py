"""Deleting a tree that somebody hostile may have written, and may still be writing to.

A tree is first renamed to `.trash-*` beside itself, so that to everybody else it is gone at once, then deleted by way
of directory descriptors, never following a symlink. Containers can nest directories deeper than any stack or
descriptor table: what lies too deep is moved up to the top of the tree and deleted there.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

TRASH = ".trash-"

_MAX_DEPTH = 64
_ATTEMPTS = 1000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def discard(path: Path) -> None:
    """Make `path` vanish in one step, then delete it; nothing there is fine.

    A crash in between leaves trash that `empty_trash` finds. Raises OSError where the kernel refuses.
    """
    trash = path.with_name(TRASH + secrets.token_hex(8))
    try:
        path.rename(trash)
    except FileNotFoundError:
        return
    delete_tree(trash)


def empty_trash(directory: Path) -> None:
    """Delete what crashed or failed removals left in `directory`."""
    for path in directory.glob(TRASH + "*"):
        delete_tree(path)


def delete_tree(path: Path) -> None:
    """Delete `path` and everything below it; nothing there is fine. Raises OSError where the kernel refuses."""
    delete_entry(str(path))


def delete_entry(name: str | bytes, parent: int | None = None) -> None:
    """Delete what is called `name` in the directory `parent`, a tree with everything in it; as `delete_tree`."""
    try:
        top = _open(name, parent)
    except FileNotFoundError:
        return
    except NotADirectoryError:  # a file or, because of O_NOFOLLOW, a symlink
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
        return
    try:
        _delete_directory(name, parent, top, top, 0)
    except FileNotFoundError:
        pass
    finally:
        os.close(top)


def _delete_directory(name: str | bytes, parent: int | None, directory: int, top: int, depth: int) -> bool:
    """Delete `name`, which is open as `directory`, with all entries; whether any had to be moved up to `top` instead.

    Somebody may still write into it, as a watch does until it notices: what has come meanwhile goes as well.
    """
    moved, attempts = False, 0
    while True:
        are_moved = _empty(directory, top, depth)
        moved |= are_moved
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            attempts += not are_moved  # of the top they are entries now
            if error.errno != errno.ENOTEMPTY or attempts >= _ATTEMPTS:
                raise
        else:
            return moved


def _empty(directory: int, top: int, depth: int) -> bool:
    """Delete all entries of `directory`; whether any had to be moved up to `top` instead."""
    moved = False
    with os.scandir(directory) as entries:
        for name in [entry.name for entry in entries]:
            moved |= _delete(name, directory, top, depth)
    return moved


def _delete(name: str, parent: int, top: int, depth: int) -> bool:
    try:
        return _delete_present(name, parent, top, depth)
    except FileNotFoundError:  # somebody else empties the same trash
        return False


def _delete_present(name: str, parent: int, top: int, depth: int) -> bool:
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent)
        return False
    if depth >= _MAX_DEPTH:
        os.rename(name, TRASH + secrets.token_hex(8), src_dir_fd=parent, dst_dir_fd=top)
        return True
    child = _open(name, parent)
    try:
        return _delete_directory(name, parent, child, top, depth + 1)
    finally:
        os.close(child)


def _open(name: str | bytes, parent: int | None) -> int:
    """The directory, made readable and writable for us if its mode was in the way (only ever so without root)."""
    try:
        if os.geteuid() == 0:
            return os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        pass  # an owner that is not mapped into our user namespace: the next attempt says what is wrong
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            # fchmod(2) refuses O_PATH descriptors and chmod(2) would follow links; /proc does neither.
            Path(f"/proc/self/fd/{handle}").chmod(mode | stat.S_IRWXU)
        return os.open(".", _DIRECTORY, dir_fd=handle)
    finally:
        os.close(handle)
