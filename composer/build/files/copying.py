"""COPY and ADD as files: selections into a fresh upper directory, exactly what a mount would hold as the difference.

As BuildKit's copier: a directory's content is merged into the destination, which is made if missing and otherwise keeps its
own attributes, while directories within it take those of the source; a file replaces a file or link, never a directory; a
directory never replaces a file or a link. Times are kept, files with several names stay one file, and so do holes.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.build.files.contents import stamp_of
from composer.build.files.entry import Entry
from composer.build.files.failures import FilesError, Reason, changed, shown, while_reading, while_writing
from composer.build.files.hashing import hash_open
from composer.build.files.owner import ROOT, Owner
from composer.build.files.permissions import Permissions
from composer.build.files.selection import Item, Selection
from composer.build.files.target import Place, Target
from composer.build.files.transfer import Transfer
from composer.build.files.unpack import unpack
from composer.build.files.walker import Walker
from composer.image.merged import READ
from composer.image.ownership import Ownership

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# null, zero, full, random, urandom, tty, ptmx: the nodes that every container has anyway.
_HARMLESS = frozenset({(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)})


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How to copy."""

    owner: Owner | None = None
    """`--chown`; without it what comes from a context is root's and what comes from a stage keeps its owner."""
    permissions: Permissions | None = None
    """`--chmod`."""
    latest: int | None = None
    """`SOURCE_DATE_EPOCH` in seconds: nothing gets a later time."""
    check: Callable[[], None] = lambda: None
    """Called often; what it raises ends the copy."""


_PLAIN = CopyOptions()


def destination(working_directory: str, text: str) -> str:
    """The destination `text` of an instruction as an absolute path; a `/` at the end says that it is a directory."""
    path = posixpath.join("/", working_directory, text)
    directory = not text or text.endswith(("/", "/.")) or text == "."
    normal = posixpath.normpath(path).replace("//", "/")
    return normal + "/" if directory and normal != "/" else normal


def copy(
    selections: Sequence[Selection],
    upper: Path,
    base: Sequence[Path],
    to: str,
    ownership: Ownership,
    options: CopyOptions = _PLAIN,
) -> None:
    """Copy `selections` to the path `to` of the root file system that `upper`, a fresh directory, is over `base`.

    `base` are the layers below, topmost first; none for `--link`, whose layer fits any base. On failure `upper` holds a part;
    the caller removes it. Raises FilesError: something in the way, a source that changed since it was selected, a full disk.
    """
    latest = None if options.latest is None else options.latest * 1_000_000_000
    items = [(selection, item) for selection in selections for item in selection.items]
    newest = max((item.entry.mtime for _, item in items), default=0)
    owner = options.owner or ROOT
    try:
        with Target(upper, base, ownership, owner=owner, mtime=newest, latest=latest) as target:
            target.leave(target.open())
            for selection, item in items:
                with _Source(selection) as source:
                    _Copier(target, source, options).copy(item, to)
    except OSError as error:
        raise while_writing(to, error) from error


class _Source:
    """Where a selection's files are opened."""

    def __init__(self, selection: Selection) -> None:
        self._walker: Walker | None = selection.tree.walker() if selection.tree else None

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self._walker:
            self._walker.__exit__(None, None, None)

    def open(self, path: str, entry: Entry) -> int:
        """A descriptor of a regular file, to be closed. Raises FilesError."""
        directory, _, name = path.rpartition("/")
        if self._walker is None:
            raise changed(path)
        try:
            return os.open(name, READ, dir_fd=self._walker.file_directory(directory, entry.layers[0]))
        except OSError as error:
            raise while_reading(path, error) from error


class _Copier:
    def __init__(self, target: Target, source: _Source, options: CopyOptions) -> None:
        self._target = target
        self._source = source
        self._owner = options.owner
        self._permissions = options.permissions
        self._check = options.check
        self._transfer = Transfer()
        self._links: dict[tuple[int, int], str] = {}
        """Files with several names that were copied, by where they are in the upper directory."""

    def copy(self, item: Item, to: str) -> None:
        """One source to its destination."""
        path, there = self._target.resolve(to)
        entry = item.entry
        if item.archive:
            with os.fdopen(self._source.open(item.path, entry), "rb", 0) as archive:
                unpack(archive, self._target, path, owner=self._owner, check=self._check)
                if not _still(entry, archive.fileno()):
                    raise changed(item.path)
            return
        if entry.is_directory:
            self._at(path, lambda place: self._content(place, item.path, entry), entry.mtime)
            return
        if to.endswith("/") or stat.S_ISDIR(there):
            path = f"{path}/{item.name}" if path else item.name
        if not path:
            raise _directory_in_the_way(path)
        directory, _, name = path.rpartition("/")
        self._at(directory, lambda place: self._entry(place, name, item.path, entry))

    def _at(self, path: str, act: Callable[[Place], None], mtime: int | None = None) -> None:
        """Do something in the directory `path`, made with those above it where missing; it ends with the time `mtime`."""
        places = [self._target.open()]
        try:
            for name in path.split("/") if path else ():
                places.append(self._target.enter(places[-1], name)[0])
            act(places[-1])
            if mtime is not None and path:
                places[-1].mtime = mtime
        finally:
            for place in reversed(places):
                self._target.leave(place)

    def _content(self, place: Place, path: str, directory: Entry) -> None:
        children = directory.children or {}
        for name in sorted(children):
            self._entry(place, name, f"{path}/{name}" if path else name, children[name])

    def _entry(self, place: Place, name: str, path: str, entry: Entry) -> None:
        self._check()
        try:
            if entry.is_directory:
                self._directory(place, name, path, entry)
            elif not entry.is_socket:
                self._make_room(place, name)
                self._make(place, name, path, entry)
        except OSError as error:
            raise while_writing(f"{place.path}/{name}", error) from error

    def _directory(self, place: Place, name: str, path: str, entry: Entry) -> None:
        inside, made = self._target.enter(place, name, mode=entry.mode)
        try:
            self._content(inside, path, entry)
            if made or not entry.implied:
                uid, gid = self._owners(entry)
                self._target.dress(inside.fd, self._mode(entry), uid, gid, entry.attributes)
                inside.mtime = entry.mtime
            elif entry.implied:
                os.fchmod(inside.fd, stat.S_IMODE(entry.mode))
        finally:
            self._target.leave(inside)

    def _make_room(self, place: Place, name: str) -> None:
        """Take away what a file replaces; what the layers below have is hidden by the new one."""
        if place.below and (found := place.under(name)) and found.is_directory and place.above(name) is None:
            raise _directory_in_the_way(f"{place.path}/{name}")

    def _make(self, place: Place, name: str, path: str, entry: Entry) -> None:
        try:
            self._make_new(place, name, path, entry)
        except FileExistsError:
            status = place.above(name)
            if status is not None and stat.S_ISDIR(status.st_mode):
                raise _directory_in_the_way(f"{place.path}/{name}") from None
            os.unlink(name, dir_fd=place.fd)
            self._make_new(place, name, path, entry)

    def _make_new(self, place: Place, name: str, path: str, entry: Entry) -> None:
        mode = entry.mode
        if stat.S_ISREG(mode):
            self._file(place, name, path, entry)
            return
        uid, gid = self._owners(entry)
        if stat.S_ISLNK(mode):
            os.symlink(entry.link, name, dir_fd=place.fd)
            owner = self._target.allowed(uid, gid)
            if owner != (self._target.ownership.uid, self._target.ownership.gid):
                os.chown(name, *owner, dir_fd=place.fd, follow_symlinks=False)
            time = self._target.time(entry.mtime)
            os.utime(name, ns=(time, time), dir_fd=place.fd, follow_symlinks=False)
            return
        self._node(place, name, entry)

    def _node(self, place: Place, name: str, entry: Entry) -> None:
        """A FIFO or a harmless device as it is; of any other device an empty file, as from an image's layer."""
        device = entry.status.st_rdev if entry.status else 0
        kind = stat.S_IFREG
        if stat.S_ISFIFO(entry.mode):
            kind = stat.S_IFIFO
        elif stat.S_ISCHR(entry.mode) and (os.major(device), os.minor(device)) in _HARMLESS:
            kind = stat.S_IFCHR if self._target.ownership.devices else stat.S_IFREG
        os.mknod(name, kind | 0o600, device if kind == stat.S_IFCHR else 0, dir_fd=place.fd)
        owner = self._target.allowed(*self._owners(entry))
        os.chown(name, *owner, dir_fd=place.fd, follow_symlinks=False)
        os.chmod(name, stat.S_IMODE(self._mode(entry)), dir_fd=place.fd)
        time = self._target.time(entry.mtime)
        os.utime(name, ns=(time, time), dir_fd=place.fd, follow_symlinks=False)

    def _file(self, place: Place, name: str, path: str, entry: Entry) -> None:
        inode = entry.inode
        if inode is not None:
            first = self._links.setdefault(inode, f"{place.path}/{name}" if place.path else name)
            if first != (f"{place.path}/{name}" if place.path else name):
                os.link(first, name, src_dir_fd=self._target.root, dst_dir_fd=place.fd, follow_symlinks=False)
                return
        mode = self._mode(entry)
        made = mode & 0o777
        descriptor = os.open(name, _NEW, made, dir_fd=place.fd)
        try:
            if entry.data is not None:
                _write(descriptor, entry.data)
            elif entry.status is not None:
                self._copy_content(descriptor, path, entry, entry.status)
            uid, gid = self._owners(entry)
            self._target.dress(descriptor, mode, uid, gid, entry.attributes, made=made or 0o1000)
            time = self._target.time(entry.mtime)
            os.utime(descriptor, ns=(time, time))
        finally:
            os.close(descriptor)

    def _copy_content(self, descriptor: int, path: str, entry: Entry, status: os.stat_result) -> None:
        source = self._source.open(path, entry)
        try:
            self._transfer.copy(source, descriptor, status)
            if not _still(entry, source):
                os.ftruncate(descriptor, status.st_size)
                os.lseek(descriptor, 0, os.SEEK_SET)
                # What was copied is what the digest was made of, or the cache would keep the wrong thing for good.
                if hash_open(descriptor, status.st_size) != entry.content:
                    raise changed(path)
        finally:
            os.close(source)

    def _owners(self, entry: Entry) -> tuple[int, int]:
        return (self._owner.uid, self._owner.gid) if self._owner else (entry.uid, entry.gid)

    def _mode(self, entry: Entry) -> int:
        return self._permissions.apply(entry.mode) if self._permissions else stat.S_IMODE(entry.mode)


def _still(entry: Entry, descriptor: int) -> bool:
    """Whether a file is what it was when it was looked at."""
    after, before = os.fstat(descriptor), entry.status
    return before is not None and (after.st_ino, *stamp_of(after)) == (before.st_ino, *stamp_of(before))


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _directory_in_the_way(path: str) -> FilesError:
    return FilesError(
        Reason.IN_THE_WAY,
        f"`/{shown(path)}`: is a directory, and a file cannot replace it",
        path=f"/{path}",
        hint="name the file in the destination, or end it with `/`",
    )
