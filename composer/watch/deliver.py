"""Writing inside a container's root, from outside: atomically, and never anywhere else.

The root is reached through the mount namespace of the container's first process (`/proc/<pid>/root`, `proc(5)`), so that what is
written to goes where the container sees it, its mounts included. Every directory is opened with `openat2(2)` RESOLVE_IN_ROOT
and everything else happens in directories already open, on names that are not followed: no link leads out, whoever
swaps it when. A file is written beside its place under a temporary name and renamed: a reader sees the old one or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from composer.keeper import inside
from composer.kernel.path import RESOLVE_BENEATH, RESOLVE_NO_XDEV, openat2
from composer.watch.plan import MakeDirectory, MakeLink, Operation, Remove, SyncFiles, WriteFile
from composer.watch.tree import DIRECTORY, FILE, LINK, Entry, Problem, digest_of, new_digest, stamp_of

_CHUNK = 1 << 20
_ATTEMPTS = 3
"""How often a file is copied that changes meanwhile; then as it was: another event is on its way."""
_ONLY_HERE = RESOLVE_BENEATH | RESOLVE_NO_XDEV
"""A bind mount may be of the same file system: only the kernel can tell that it is another mount."""
_HOPELESS = {
    errno.EROFS: "its root is read-only (`read_only: true`); put a volume or a tmpfs at the target",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
}
"""Errors after which the rest would fail too."""


@dataclass(slots=True)
class Delivery:
    """What became of `SyncFiles`: entries by target, None for what was removed; and what could not be done."""

    done: dict[str, Entry | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    """Targets that were not done, to be tried again."""
    stale: set[str] = field(default_factory=set)
    """Targets whose source was not what had been seen there, or gone: it is to be looked at again."""
    size: int = 0
    """Bytes written."""


class Root:
    """An open container root; use it as a context manager, for one delivery."""

    def __init__(self, path: str, uid: int = 0, gid: int = 0) -> None:
        """`uid` and `gid` own what is made. Raises OSError when the container is gone."""
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._uid, self._gid = uid, gid
        self._parents: dict[str, int] = {}

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()
        os.close(self._fd)

    def deliver(self, files: SyncFiles) -> Delivery:
        """Carry `files` out; what fails is told and the rest done, unless it would fail too. Idempotent."""
        delivery = Delivery()
        for number, operation in enumerate(files.operations):
            try:
                self._perform(operation, delivery)
            except OSError as error:
                # The file here is gone, perhaps for a moment. Anything else that is missing is a problem.
                is_gone = isinstance(operation, WriteFile) and error.filename == operation.source
                if is_gone and error.errno == errno.ENOENT:
                    delivery.stale.add(operation.target)
                    continue
                delivery.left.add(operation.target)
                delivery.problems.append(_problem(operation, error))
                if error.errno in _HOPELESS:
                    delivery.left.update(each.target for each in files.operations[number:])
                    break
        return delivery

    def status(self, target: str) -> os.stat_result | None:
        """The status of what is at `target`, None for nothing."""
        try:
            parent, name = self._parent(target, make=False)
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return None

    def entry(self, target: str, status: os.stat_result) -> Entry | None:
        """What a reader finds at `target`, its content hashed; None for what is no file, directory or link, or unreadable."""
        mode = stat.S_IMODE(status.st_mode)
        try:
            parent, name = self._parent(target, make=False)
            if stat.S_ISDIR(status.st_mode):
                return Entry(DIRECTORY, mode)
            if stat.S_ISLNK(status.st_mode):
                return Entry(LINK, 0, os.fsencode(os.readlink(name, dir_fd=parent)))
            if stat.S_ISREG(status.st_mode):
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
                try:
                    return Entry(FILE, mode, digest_of(fd), stamp_of(status))
                finally:
                    os.close(fd)
        except OSError:
            return None
        return None

    def _perform(self, operation: Operation, delivery: Delivery) -> None:
        match operation:
            case Remove(target):
                self._remove(target)
                delivery.done[target] = None
            case MakeDirectory(target, mode):
                delivery.done[target] = self._make_directory(target, mode)
            case WriteFile(target):
                entry = delivery.done[target] = self._write(operation, delivery)
                if operation.digest and entry.digest != operation.digest:
                    delivery.stale.add(target)
            case MakeLink(target, text):
                parent, name = self._parent(target)
                self._replace(parent, name, lambda temporary: self._link(text, temporary, parent))
                delivery.done[target] = Entry(LINK, 0, text)
            case unknown:
                assert_never(unknown)

    # -- places ------------------------------------------------------------------------------------------------------

    def _parent(self, target: str, *, make: bool = True) -> tuple[int, str]:
        """The open directory that `target` is in, made if missing, and its name there."""
        directory, _, name = target.rpartition("/")
        fd = self._parents.get(directory)
        if fd is None:
            place = directory or "/"
            if make:
                fd = inside.make_directory(self._fd, place, 0o755, self._uid, self._gid)
            else:
                fd = inside.find(self._fd, place, os.O_PATH | os.O_DIRECTORY)
            self._parents[directory] = fd
        return fd, name

    def _forget(self, below: str = "") -> None:
        """Close the directories held at and below `below`: they may be others now."""
        for directory in [d for d in self._parents if not below or d == below or d.startswith(f"{below}/")]:
            os.close(self._parents.pop(directory))

    # -- operations --------------------------------------------------------------------------------------------------

    def _write(self, operation: WriteFile, delivery: Delivery) -> Entry:
        parent, name = self._parent(operation.target)
        made: list[Entry] = []

        def make(temporary: str) -> None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            to = os.open(temporary, flags, 0o600, dir_fd=parent)
            try:
                digest, status = _copy(operation.source, to)
                os.fchown(to, self._uid, self._gid)
                os.fchmod(to, operation.mode)
                os.utime(to, ns=(status.st_atime_ns, status.st_mtime_ns))
            finally:
                os.close(to)
            delivery.size += status.st_size
            made.append(Entry(FILE, operation.mode, digest))

        self._replace(parent, name, make, keep=operation.alone)
        entry = made[0]
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        return Entry(FILE, entry.mode, entry.digest, stamp_of(status))

    def _link(self, text: bytes, name: str, parent: int) -> None:
        os.symlink(text, os.fsencode(name), dir_fd=parent)
        os.chown(name, self._uid, self._gid, dir_fd=parent, follow_symlinks=False)

    def _replace(self, parent: int, name: str, make: Callable[[str], None], *, keep: bool = False) -> None:
        """Have `make` make something under a temporary name, and rename it to `name`.

        With `keep`, a directory of that name that has anything in it stays.
        """
        temporary = f".~{secrets.token_hex(6)}~"
        try:
            make(temporary)
            try:
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except IsADirectoryError:  # of the container's own making, where we have a file
                _remove_empty(parent, name) if keep else _remove_tree(parent, name)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=parent)
            raise

    def _make_directory(self, target: str, mode: int) -> Entry:
        parent, name = self._parent(target)
        try:
            os.mkdir(name, mode, dir_fd=parent)
            os.chown(name, self._uid, self._gid, dir_fd=parent, follow_symlinks=False)
        except FileExistsError:
            if not self._leads_to_directory(target):
                os.unlink(name, dir_fd=parent)
                os.mkdir(name, mode, dir_fd=parent)
                os.chown(name, self._uid, self._gid, dir_fd=parent, follow_symlinks=False)
        fd = inside.find(self._fd, target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
        return Entry(DIRECTORY, mode)

    def _leads_to_directory(self, target: str) -> bool:
        """Whether a directory is at `target`, or a link to one: an image's link to where its data is stays."""
        try:
            os.close(inside.find(self._fd, target, os.O_PATH | os.O_DIRECTORY))
        except OSError:
            return False
        return True

    def _remove(self, target: str) -> None:
        self._forget(target)
        try:
            parent, name = self._parent(target, make=False)
            _remove_tree(parent, name)
        except (FileNotFoundError, NotADirectoryError):
            return


def _copy(source: str, to: int) -> tuple[bytes, os.stat_result]:
    """Copy a regular file, again if it changes meanwhile; its hash and status. Errors name `source`."""
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                raise FileNotFoundError(errno.ENOENT, "no regular file any more", source)
            hasher = new_digest()
            while data := os.read(fd, _CHUNK):
                hasher.update(data)
                while data:
                    data = data[os.write(to, data) :]
            after = os.fstat(fd)
            if stamp_of(before) == stamp_of(after):
                break
            os.lseek(fd, 0, os.SEEK_SET)
            os.lseek(to, 0, os.SEEK_SET)
            os.ftruncate(to, 0)
        else:
            return _copy_as_is(fd, to)
        return hasher.digest(), after
    finally:
        os.close(fd)


def _copy_as_is(fd: int, to: int) -> tuple[bytes, os.stat_result]:
    """Copy a file that does not stand still."""
    hasher = new_digest()
    while data := os.read(fd, _CHUNK):
        hasher.update(data)
        while data:
            data = data[os.write(to, data) :]
    return hasher.digest(), os.fstat(fd)


def _remove_tree(parent: int, name: str) -> None:
    """Remove `name` and all below, without following links or crossing into other mounts; what can go goes."""
    try:
        os.unlink(name, dir_fd=parent)
        return
    except IsADirectoryError:
        pass
    try:
        fd = openat2(parent, name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, resolve=_ONLY_HERE)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise OSError(errno.EBUSY, "something is mounted there", name) from error
        raise
    stays: OSError | None = None
    try:
        for inner in os.listdir(fd):  # noqa: PTH208 - of a descriptor
            try:
                _remove_tree(fd, inner)
            except OSError as error:
                stays = stays or error
    finally:
        os.close(fd)
    if stays is not None:
        raise stays
    os.rmdir(name, dir_fd=parent)


def _remove_empty(parent: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        why = "it is a directory; to put the file into it, end `target` with `/`"
        raise OSError(errno.EISDIR, why, name) from error


def _problem(operation: Operation, error: OSError) -> Problem:
    why = _HOPELESS.get(error.errno or 0) or (error.strerror or str(error)).lower()
    return Problem(operation.target, why)
