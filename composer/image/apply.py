"""One layer onto an empty directory, as overlay wants to find it.

Follows the OCI image specification, layer.md <https://github.com/opencontainers/image-spec/blob/main/layer.md>, and the
kernel's overlayfs.rst for how whiteouts and opaque directories look on disk. The archive is hostile input:

* no name leads out of the directory (`tree`), whatever symlinks or hardlinks the archive made before;
* an entry replaces what an earlier one of the same name made, except that directories merge;
* overlay's own attributes never come from an archive: they could make other layers' files appear elsewhere;
* device nodes other than the harmless ones every container has become empty files: where no cgroup filters devices, a
  node of the host's disk would give the host away;
* a set-user-id bit is dropped with the owner it was meant for.

What depends on the finished tree comes last: whiteouts (a layer never hides its own files, whatever their order),
then the directories' owners, modes and times.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from composer.errors import ImageError
from composer.image.header import Header, Kind, printable
from composer.image.marks import mark, whiteout
from composer.image.ownership import Ownership
from composer.image.reader import TarReader
from composer.image.removal import delete_entry
from composer.image.stream import Limits
from composer.image.tree import Parts, Tree, split

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_AUFS = b".wh..wh."  # bookkeeping of aufs in old images

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

# null, zero, full, random, urandom, tty, ptmx: what every container gets in /dev anyway.
_HARMLESS = frozenset({(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)})

_OVERHEAD = 500
"""Bytes that an entry takes in memory beside its name and attributes, roughly."""

_TIME_RANGE = 1 << 34
"""Seconds around the epoch that every file system takes."""


class LayerWriter:
    """Puts the entries of one layer below `root`."""

    def __init__(self, root: Path, ownership: Ownership, limits: Limits) -> None:
        self._root = root
        self._ownership = ownership
        self._limits = limits
        self._kept = 0
        self._owners: dict[tuple[int, int], tuple[int, int]] = {}
        self._directories: dict[Parts, Header] = {}
        self._whiteouts: list[Parts] = []
        self._opaque: list[Parts] = []
        self.newest = 0
        """The latest modification time among the entries, in nanoseconds."""
        self.entries = 0

    def write(self, reader: TarReader) -> None:
        """Make every entry, then finish. Raises ImageError for what no layer may hold, OSError for the disk."""
        with Tree(self._root, self._limits.depth) as tree:
            for header in reader:
                self.entries += 1
                self.newest = max(self.newest, header.mtime)
                try:
                    self._entry(tree, header, reader)
                except OSError as error:
                    raise _while_unpacking(header.name, error) from error
            self._finish(tree)

    def _entry(self, tree: Tree, header: Header, reader: TarReader) -> None:
        parts = split(header.name)
        if _AUFS in header.name and parts[-1:] != (_OPAQUE,) and any(part.startswith(_AUFS) for part in parts):
            return
        if header.kind is Kind.DIRECTORY:
            self._directory(tree, parts, header)
            return
        if not parts:
            raise ImageError("cannot unpack the layer: its root is not a directory")
        *above, name = parts
        if name.startswith(_WHITEOUT):
            self._keep(header)
            self._note_whiteout(tuple(above), name)
            return
        try:
            self._make(tree, tuple(above), name, header, reader)
        except FileExistsError:
            delete_entry(name, tree.enter(tuple(above)))
            tree.forget()  # a directory that was open may be gone now
            self._make(tree, tuple(above), name, header, reader)

    def _make(self, tree: Tree, above: Parts, name: bytes, header: Header, reader: TarReader) -> None:
        match header.kind:
            case Kind.FILE:
                self._file(tree.enter(above), name, header, reader)
            case Kind.SYMLINK:
                self._symlink(tree.enter(above), name, header)
            case Kind.HARDLINK:
                self._hardlink(tree, above, name, header)
            case Kind.FIFO:
                self._node(tree.enter(above), name, header, stat.S_IFIFO)
            case Kind.CHARACTER if self._ownership.devices and (header.major, header.minor) in _HARMLESS:
                self._node(tree.enter(above), name, header, stat.S_IFCHR)
            case _:
                self._node(tree.enter(above), name, header, stat.S_IFREG)

    def _directory(self, tree: Tree, parts: Parts, header: Header) -> None:
        if parts:
            *above, name = parts
            try:
                os.mkdir(name, 0o700, dir_fd=tree.enter(tuple(above)))
            except FileExistsError:
                parent = tree.enter(tuple(above))
                if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=parent)
                    tree.forget()
                    os.mkdir(name, 0o700, dir_fd=tree.enter(tuple(above)))
        self._keep(header)
        self._directories[parts] = header

    def _keep(self, header: Header) -> None:
        """Count what is remembered to the end. Raises ImageError where it gets too much."""
        self._kept += _OVERHEAD + len(header.name) + sum(map(len, header.xattrs.values()))
        if self._kept > self._limits.kept:
            raise ImageError("cannot unpack the layer: it has too many directories, attributes of them, or whiteouts")

    def _file(self, parent: int, name: bytes, header: Header, reader: TarReader) -> None:
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        try:
            if header.size:
                reader.write_to(descriptor)
            self._dress(descriptor, header)
        finally:
            os.close(descriptor)

    def _symlink(self, parent: int, name: bytes, header: Header) -> None:
        if not header.link or b"\0" in header.link:
            raise ImageError(f"cannot unpack `{printable(header.name)}`: a symlink to nothing")
        os.symlink(header.link, name, dir_fd=parent)
        self._own(name, header, parent)
        os.utime(name, ns=_times(header), dir_fd=parent, follow_symlinks=False)

    def _hardlink(self, tree: Tree, above: Parts, name: bytes, header: Header) -> None:
        target = split(header.link)
        if target == (*above, name):
            return
        try:
            source = os.dup(tree.enter(target[:-1], create=False)) if target else None
        except FileNotFoundError:
            source = None
        if source is None:
            raise _no_target(header)
        try:
            os.link(target[-1], name, src_dir_fd=source, dst_dir_fd=tree.enter(above), follow_symlinks=False)
        except (FileNotFoundError, PermissionError):  # EPERM: a directory
            raise _no_target(header) from None
        finally:
            os.close(source)

    def _node(self, parent: int, name: bytes, header: Header, kind: int) -> None:
        device = os.makedev(header.major, header.minor) if kind == stat.S_IFCHR else 0
        os.mknod(name, kind | 0o600, device, dir_fd=parent)
        self._own(name, header, parent)
        os.chmod(name, self._mode(header), dir_fd=parent)
        os.utime(name, ns=_times(header), dir_fd=parent, follow_symlinks=False)

    def _note_whiteout(self, above: Parts, name: bytes) -> None:
        hidden = name[len(_WHITEOUT) :]
        if name == _OPAQUE:
            self._opaque.append(above)
        elif hidden in (b"", b".", b".."):
            raise ImageError(f"cannot unpack `{printable(name)}`: a whiteout of nothing")
        else:
            self._whiteouts.append((*above, hidden))

    def _finish(self, tree: Tree) -> None:
        # In sorted order neighbours share their open directories.
        for parts in sorted(self._whiteouts):
            self._hide(tree, parts)
        for parts in sorted(self._opaque):
            self._mark(tree.enter(parts), "opaque", b"y")
        # The deepest first: a directory without permissions would lock us out of those below.
        for parts in sorted(self._directories, reverse=True):
            self._dress_directory(tree, parts)

    def _hide(self, tree: Tree, parts: Parts) -> None:
        parent, name = tree.enter(parts[:-1]), parts[-1]
        try:
            whiteout(parent, name, self._ownership)
        except FileExistsError:
            # The layer puts something in the place of what it hides. A file does so by itself, a directory would merge.
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                self._mark(tree.enter(parts), "opaque", b"y")

    def _mark(self, directory: int, attribute: str, value: bytes) -> None:
        mark(directory, attribute, value, self._ownership)

    def _dress_directory(self, tree: Tree, parts: Parts) -> None:
        try:
            descriptor = os.open(".", _READ_DIRECTORY, dir_fd=tree.enter(parts, create=False))
        except (FileNotFoundError, ImageError):
            return  # a later entry of the archive took its place
        try:
            self._dress(descriptor, self._directories[parts])
        finally:
            os.close(descriptor)

    def _dress(self, descriptor: int, header: Header) -> None:
        # Order matters: chown(2) clears set-id bits and capabilities; writing attributes needs no write bit.
        self._own(descriptor, header)
        for name, value in header.xattrs.items():
            _set_attribute(descriptor, name, value)
        os.fchmod(descriptor, self._mode(header))
        os.utime(descriptor, ns=_times(header))

    def _own(self, target: int | bytes, header: Header, parent: int | None = None) -> None:
        uid, gid = self._owner(header)
        if (uid, gid) == (self._ownership.uid, self._ownership.gid):
            return  # as it was made
        if isinstance(target, int):
            os.fchown(target, uid, gid)
        else:
            os.chown(target, uid, gid, dir_fd=parent, follow_symlinks=False)

    def _owner(self, header: Header) -> tuple[int, int]:
        wanted = (header.uid, header.gid)
        owner = self._owners.get(wanted)
        if owner is None:
            owner = self._owners[wanted] = self._ownership.allowed(*wanted)
        return owner

    def _mode(self, header: Header) -> int:
        uid, gid = self._owner(header)
        mode = header.mode
        if uid != header.uid:
            mode &= ~stat.S_ISUID
        if gid != header.gid:
            mode &= ~stat.S_ISGID
        return mode


def _set_attribute(descriptor: int, name: str, value: bytes) -> None:
    """Set an attribute that means something inside a container; others (labels of SELinux, of overlay) are the host's.

    What this file system or our rights do not allow is left out, as GNU tar and Docker do.
    """
    wanted = name == "security.capability" or name.startswith(("user.", "system.posix_acl_"))
    if not wanted or name.startswith("user.overlay.") or "\0" in name:
        return
    try:
        os.setxattr(descriptor, name, value)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EINVAL, errno.ERANGE):
            raise


def _times(header: Header) -> tuple[int, int]:
    limit = _TIME_RANGE * 1_000_000_000
    time = min(max(header.mtime, -limit), limit)
    return time, time


def _no_target(header: Header) -> ImageError:
    return ImageError(
        f"cannot unpack `{printable(header.name)}`: it is a hardlink to `{printable(header.link)}`, "
        "which is no file of this layer"
    )


def _while_unpacking(name: bytes, error: OSError) -> ImageError:
    hint = ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space, or move the data directory with COMPOSER_DATA"
    return ImageError(f"cannot unpack `{printable(name)}`: {(error.strerror or str(error)).lower()}", hint=hint)
