"""The root file system that is written to: a fresh overlay upper directory over a stage's layers, without a mount.

Whatever is made lies in the upper directory. A directory of the layers below that gets something new is made there too,
with the attributes it has ("copied up", as overlay does); since nothing is ever removed, no whiteouts or other marks are
needed but where an archive puts a new directory in the place of a file. Directories keep the time they had: when something
was built is no part of a layer.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from composer.build.files.entry import Attributes
from composer.build.files.failures import FilesError, Reason, shown
from composer.build.files.hashing import read_attributes
from composer.build.files.owner import ROOT, Owner
from composer.image.merged import ENTER, Directories, Found, enter, is_opaque, list_merged, look_up, open_layers
from composer.image.ownership import Ownership

_MAX_LINKS = 255
_MOST_DEPTH = 250
_FEW = 10


@dataclass(slots=True)
class Place:
    """A directory that is written to; `leave` it when done."""

    path: str
    fd: int
    """In the upper directory."""
    below: Directories
    """What the layers below have of it; empty where it hides them or they have none."""
    mtime: int
    """What its time will be."""
    owned: bool = True
    """Whether `below` is closed with it."""
    names: dict[str, Found] | None = None
    """What is in `below`, once somebody asked often enough."""
    asked: int = 0

    def under(self, name: str) -> Found | None:
        """What the layers below have of that name."""
        if not self.below:
            return None
        if self.names is None:
            self.asked += 1
            if self.asked <= _FEW:  # cheaper than reading all of a large directory
                return look_up(self.below, name)
            self.names = list_merged(self.below)
        return self.names.get(name)

    def above(self, name: str) -> os.stat_result | None:
        """What is in the upper directory of that name."""
        if self.fd < 0:
            return None
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def kind(self, name: str) -> int:
        """The `st_mode` of what is there of that name; 0 for nothing."""
        status = self.above(name)
        if status is not None:
            return 0 if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0 else status.st_mode
        found = self.under(name)
        return found.status.st_mode if found else 0


class Target:
    """The upper directory `upper`, which is ours, over the layers `base`, topmost first."""

    def __init__(
        self,
        upper: Path,
        base: Sequence[Path],
        ownership: Ownership,
        *,
        owner: Owner = ROOT,
        mtime: int = 0,
        latest: int | None = None,
    ) -> None:
        """New directories on the way get `owner` and `mtime`; nothing gets a time after `latest` (nanoseconds)."""
        self.ownership = ownership
        self.owner = owner
        self.latest = latest
        self._mtime = mtime
        self._stack = ExitStack()
        self._umask = _umask()
        self._owners: dict[tuple[int, int], tuple[int, int]] = {}
        self._layers = open_layers(base, self._stack)
        self.root = os.open(upper, ENTER)
        self._stack.callback(os.close, self.root)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def open(self) -> Place:
        """The root itself, with the attributes of the root below."""
        mtime = self._mtime
        if self._layers:
            status = os.fstat(self._layers[0][1])
            mtime = status.st_mtime_ns
            self.dress(self.root, status.st_mode, status.st_uid, status.st_gid, read_attributes(self._layers[0][1]))
        else:
            os.fchmod(self.root, 0o755)
        return Place("", os.dup(self.root), self._layers, mtime, owned=False)

    def resolve(self, path: str) -> tuple[str, int]:
        """`path` without links, `.` and `..`, as they lead inside the root, and the `st_mode` of what is there.

        What is not there stays as it is written, and has 0.
        """
        with ExitStack() as stack:
            trail = [(Place("", self.root, self._layers, 0), stat.S_IFDIR)]
            pending, links = deque(path.split("/")), 0
            while pending:
                name = pending.popleft()
                if name in ("", "."):
                    continue
                if name == "..":
                    trail = trail[:-1] or trail
                    continue
                place = trail[-1][0]
                mode = place.kind(name)
                if not stat.S_ISLNK(mode):
                    trail.append((_look_inside(place, name, mode, stack), mode))
                    continue
                if (links := links + 1) > _MAX_LINKS:
                    raise FilesError(Reason.IN_THE_WAY, f"`/{shown(path)}`: too many symbolic links", path=path)
                link = read_link(place, name)
                trail = trail[:1] if link.startswith("/") else trail
                pending.extendleft(reversed(link.split("/")))
            return trail[-1][0].path, trail[-1][1]

    def enter(self, place: Place, name: str, *, mode: int | None = None) -> tuple[Place, bool]:
        """The directory `name` in `place`, and whether it is new; new ones are made with `mode` (and no more yet) if given.

        Raises FilesError where something else is in the way, OSError.
        """
        path = f"{place.path}/{name}" if place.path else name
        if path.count("/") > _MOST_DEPTH:
            raise FilesError(Reason.DISK, f"`/{shown(path)}`: more than {_MOST_DEPTH} directories deep", path=path)
        found = place.under(name)
        status = place.above(name)
        if status is not None:
            if not stat.S_ISDIR(status.st_mode):
                raise _in_the_way(path)
            descriptor = os.open(name, ENTER, dir_fd=place.fd)
            below = () if found is None or is_opaque(descriptor) else self._below(place, name, found)
            return Place(path, descriptor, below, status.st_mtime_ns), False
        if found is not None:
            if not found.is_directory:
                raise _in_the_way(path)
            return self._copy_up(place, name, path, found), False
        os.mkdir(name, 0o700, dir_fd=place.fd)
        descriptor = os.open(name, ENTER, dir_fd=place.fd)
        if mode is None:
            self.dress(descriptor, 0o755, self.owner.uid, self.owner.gid)
        return Place(path, descriptor, (), self._mtime), True

    def replace(self, place: Place, name: str) -> Place:
        """A new directory in the place of the file or link `name`; nothing of the layers below shows in it."""
        if place.above(name) is not None:
            os.unlink(name, dir_fd=place.fd)
        os.mkdir(name, 0o700, dir_fd=place.fd)
        descriptor = os.open(name, ENTER, dir_fd=place.fd)
        found = place.under(name)
        if found is not None and found.is_directory:
            os.setxattr(descriptor, self.ownership.overlay_attributes + "opaque", b"y")
        self.dress(descriptor, 0o755, self.owner.uid, self.owner.gid)
        return Place(f"{place.path}/{name}" if place.path else name, descriptor, (), self._mtime)

    def leave(self, place: Place) -> None:
        """Close a place, its time what it should be."""
        time = self.time(place.mtime)
        try:
            os.utime(place.fd, ns=(time, time))
        finally:
            os.close(place.fd)
            for _, descriptor in place.below if place.owned else ():
                os.close(descriptor)

    def time(self, mtime: int) -> int:
        """A file's time, no later than is allowed."""
        return mtime if self.latest is None else min(mtime, self.latest)

    def allowed(self, uid: int, gid: int) -> tuple[int, int]:
        """The owner that a file for `uid`:`gid` gets (`Ownership.allowed`)."""
        owner = self._owners.get((uid, gid))
        if owner is None:
            owner = self._owners[uid, gid] = self.ownership.allowed(uid, gid)
        return owner

    def dress(self, descriptor: int, mode: int, uid: int, gid: int, attributes: Attributes = (), made: int = 0) -> None:
        """Give owner, attributes and permissions to what was made by us with the permissions `made`."""
        owner = self.allowed(uid, gid)
        bits = stat.S_IMODE(mode)
        if owner != (uid, gid):  # a set-id bit goes with the owner it was meant for
            bits &= ~(stat.S_ISUID if owner[0] != uid else 0) & ~(stat.S_ISGID if owner[1] != gid else 0)
        # Order matters: chown(2) clears set-id bits and capabilities.
        if owner != (self.ownership.uid, self.ownership.gid):
            os.fchown(descriptor, *owner)
        elif made and bits == made & ~self._umask & ~0o7000 and not attributes:
            return
        for name, value in attributes:
            set_attribute(descriptor, name, value)
        os.fchmod(descriptor, bits)

    def _copy_up(self, place: Place, name: str, path: str, found: Found) -> Place:
        os.mkdir(name, 0o700, dir_fd=place.fd)
        below = self._below(place, name, found)
        status = found.status
        descriptor = os.open(name, ENTER, dir_fd=place.fd)
        self.dress(descriptor, status.st_mode, status.st_uid, status.st_gid, read_attributes(below[0][1]))
        return Place(path, descriptor, below, status.st_mtime_ns)

    def _below(self, place: Place, name: str, found: Found | None) -> Directories:
        if found is None or not found.is_directory:
            return ()
        return enter(place.below, name, found, _nobody)


def set_attribute(descriptor: int, name: str, value: bytes) -> None:
    """Set an extended attribute; one that this file system or our rights do not allow is left out, as Docker does."""
    try:
        os.setxattr(descriptor, name, value)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EINVAL, errno.ERANGE):
            raise


def _in_the_way(path: str) -> FilesError:
    return FilesError(
        Reason.IN_THE_WAY,
        f"`/{shown(path)}`: is no directory, and one would have to be put there",
        path=f"/{path}",
        hint="remove it first, or copy to another destination",
    )


def read_link(place: Place, name: str) -> str:
    """Where the link `name` in `place` leads. Raises OSError."""
    if place.above(name) is not None:
        return os.readlink(name, dir_fd=place.fd)
    found = place.under(name)
    layer = found.layers[0] if found else -1
    return os.readlink(name, dir_fd=next(descriptor for number, descriptor in place.below if number == layer))


def _look_inside(place: Place, name: str, mode: int, stack: ExitStack) -> Place:
    """The place of that name, for looking only; there is nothing in what is no directory."""
    path = f"{place.path}/{name}" if place.path else name
    descriptor = -1
    below: Directories = ()
    if stat.S_ISDIR(mode):
        if place.above(name) is not None:
            descriptor = os.open(name, ENTER, dir_fd=place.fd)
            stack.callback(os.close, descriptor)
        if (found := place.under(name)) is not None and found.is_directory:
            below = enter(place.below, name, found, lambda opened: _close_later(opened, stack))
    return Place(path, descriptor, below, 0)


def _close_later(descriptor: int, stack: ExitStack) -> None:
    stack.callback(os.close, descriptor)


def _nobody(_descriptor: int) -> None:
    """For descriptors that belong to their place."""


def _umask() -> int:
    """What `open(2)` takes away; asking `umask(2)` would change it for other threads."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o777  # unknown: then permissions are always set
