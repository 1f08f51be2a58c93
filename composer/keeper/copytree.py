"""Copying a directory's content as it is: ownership, modes, times, links, extended attributes.

Works on directory descriptors and follows no link, so nothing that an image contains can lead the copy elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from types import TracebackType

_CHUNK = 1 << 30
_OVERLAY_MARKS = ("trusted.overlay.", "user.overlay.")


class Seen(dict[tuple[int, int], tuple[int, str]]):
    """Where the first name of each file with several has been copied to, by device and inode; closes what it holds."""

    def __enter__(self) -> Seen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for directory, _name in self.values():
            os.close(directory)
        self.clear()


def copy_tree(source: int, destination: int) -> None:
    """Copy what is in the directory `source`, and its own attributes, to the directory `destination`.

    Both descriptors stay open. What is there already under the same name is replaced if it is no directory, so a copy
    that was interrupted can be done again. Device nodes that cannot be made are left out.
    """
    with Seen() as seen:
        _copy_directory(source, destination, seen)


def copy_entry(source: int, destination: int, name: str, status: os.stat_result, seen: Seen) -> None:
    """Copy one thing that is no directory, in the place of what has its name."""
    _remove(name, destination)
    key = (status.st_dev, status.st_ino)
    if status.st_nlink > 1 and key in seen:
        _link(seen[key], destination, name)
        return
    if not _make(source, destination, name, status):
        return
    if status.st_nlink > 1:
        seen[key] = (os.dup(destination), name)
    _copy_attributes(source, destination, name, status)


def _copy_directory(source: int, destination: int, seen: Seen) -> None:
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            _copy_subdirectory(source, destination, name, seen)
        else:
            copy_entry(source, destination, name, status, seen)
    copy_own_attributes(source, destination)


def _copy_subdirectory(source: int, destination: int, name: str, seen: Seen) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=destination)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    inner_source = os.open(name, flags, dir_fd=source)
    try:
        inner_destination = os.open(name, flags, dir_fd=destination)
        try:
            _copy_directory(inner_source, inner_destination, seen)
        finally:
            os.close(inner_destination)
    finally:
        os.close(inner_source)


def _make(source: int, destination: int, name: str, status: os.stat_result) -> bool:
    """Make `name` like the original; False if it is a node that we may not make."""
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        _copy_file(source, destination, name, status.st_size)
    elif kind == stat.S_IFLNK:
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=destination)
    elif kind == stat.S_IFSOCK:
        return False
    else:
        try:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=destination)
        except PermissionError:
            return False
    return True


def _copy_file(source: int, destination: int, name: str, size: int) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=source)
    try:
        writer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=destination)
        try:
            left = size
            while left > 0 and (copied := os.sendfile(writer, reader, None, min(left, _CHUNK))):
                left -= copied
            _copy_extended(reader, writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_attributes(source: int, destination: int, name: str, status: os.stat_result) -> None:
    os.chown(name, status.st_uid, status.st_gid, dir_fd=destination, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):  # after chown, which clears set-user-ID
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=destination)
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=destination, follow_symlinks=False)


def copy_own_attributes(source: int, destination: int) -> None:
    """Give one directory what the other has: owner, mode, times, extended attributes."""
    status = os.fstat(source)
    _copy_extended(source, destination)
    os.fchown(destination, status.st_uid, status.st_gid)
    os.fchmod(destination, stat.S_IMODE(status.st_mode))
    os.utime(destination, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_extended(source: int, destination: int) -> None:
    """Extended attributes, but for those the target cannot have (overlay's own, another file system's)."""
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return
        raise
    for name in names:
        if name.startswith(_OVERLAY_MARKS):
            continue
        try:
            os.setxattr(destination, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EACCES):
                raise


def _link(first: tuple[int, str], destination: int, name: str) -> None:
    directory, original = first
    os.link(original, name, src_dir_fd=directory, dst_dir_fd=destination, follow_symlinks=False)


def _remove(name: str, directory: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
