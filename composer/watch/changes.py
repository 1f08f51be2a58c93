"""The port to what happens to files: batches of paths that may have changed, from `inotify(7)` or from looking again and again.

Nothing is lost: a watch on a directory is there before the directory is looked at, an overflow of the kernel's queue makes a
batch that says "everything", and so does a root that was moved, removed or replaced, which is found out by comparing its
inode every second: the kernel does not tell when a directory above it moves. What is ignored is not watched.

A directory that inotify sees nothing of (a network file system, changed by others) or that the kernel gives no watch for is
polled: its tree is said to have changed at intervals that follow from how long looking takes. What can be listened to is
listened to all the same, and a watch is asked for again each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from composer.kernel import inotify
from composer.unbroken import unbroken
from composer.watch import remote
from composer.watch.checkout import locks_of
from composer.watch.settle import Batch, Settle

ROOT_CHECK = 1.0
"""Seconds between two looks at whether the roots are what they were."""
_GIT_CHECK = 0.01
"""Seconds between two looks at whether git has finished."""
POLL = 1.0
"""Seconds between two looks at what is polled, at least."""
_BUSY_SHARE = 20
"""How many times longer than it takes we wait before polling again."""

_MASK = (
    inotify.IN_MODIFY
    | inotify.IN_ATTRIB
    | inotify.IN_CLOSE_WRITE
    | inotify.IN_MOVED_FROM
    | inotify.IN_MOVED_TO
    | inotify.IN_CREATE
    | inotify.IN_DELETE
    | inotify.IN_ONLYDIR
    | inotify.IN_DONT_FOLLOW
    | inotify.IN_EXCL_UNLINK
)
_GONE = inotify.IN_MOVED_FROM | inotify.IN_DELETE
_NEW = inotify.IN_CREATE | inotify.IN_MOVED_TO


class Area(Protocol):
    """A root and what of it is to be told; `selection.Selection` is one."""

    @property
    def root(self) -> str: ...

    def __contains__(self, path: str) -> bool: ...

    def counts(self, path: str, *, directory: bool = False) -> bool: ...

    def enters(self, directory: str) -> bool: ...


class Changes(Protocol):
    """What a watch listens to."""

    @property
    def note(self) -> str:
        """What the user should know about how changes are noticed, "" for nothing."""

    async def next(self) -> Batch:
        """The next batch, once it has settled."""

    def again(self, paths: Iterable[str]) -> None:
        """Have `paths` told as if something had happened to them."""

    def pace(self, seconds: float) -> None:
        """Looking at the last batch took `seconds`: what is polled is not looked at much more often."""

    def close(self) -> None:
        """Stop; idempotent."""


async def open_changes(areas: Sequence[Area], mounts: Callable[[], str] | None = None, poll: float = POLL) -> Changes:
    """Begin to notice changes in `areas`; `mounts` is what `/proc/self/mountinfo` says, `poll` the shortest interval."""
    told = (mounts or remote.mounts)()
    polled = frozenset(area.root for area in areas if remote.filesystem_of(area.root, told) in remote.REMOTE)
    listening = Listening(areas, polled, poll)
    await listening.begin()
    return listening


class Listening:
    """One inotify instance over all areas; made and used in one event loop."""

    def __init__(self, areas: Sequence[Area], polled: Collection[str] = (), poll: float = POLL) -> None:
        """`polled` are roots that nothing is told of."""
        self._areas = tuple(areas)
        self._remote = frozenset(polled)
        self._polled: set[str] = set()
        """Directories without a watch, with all that is below."""
        self._limit = ""
        """Why directories are polled that are not remote."""
        self._shortest = self._interval = poll
        self._settle = Settle()
        self._ready = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._inotify: inotify.Inotify | None = None
        self._paths: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._roots: dict[str, _Identity] = {}
        self._names: dict[str, set[str]] = {}
        """Directories that are watched only for the roots in them, with the names of these."""
        self._tasks: list[asyncio.Task[None]] = []
        self._locks = locks_of(area.root for area in areas)

    @property
    def note(self) -> str:
        """What the user should know about how changes are noticed, "" for nothing."""
        if self._remote:
            return f"polling: {min(self._remote)} is on a network file system, which tells nothing of changes"
        if not self._limit or not self._polled:
            return ""
        below = f"all below {min(self._polled)}" + (" and others" if len(self._polled) > 1 else "")
        return f"polling {below}: {self._limit}"

    async def begin(self) -> None:
        """Watch all areas, or poll."""
        try:
            self._inotify = inotify.Inotify()
        except OSError as error:
            self._limit = _limit(error)
        try:
            await unbroken(self._add_roots)
        except BaseException:
            self.close()  # nobody else would: whoever gives up has not got us
            raise
        if self._inotify is not None:
            asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._read)
        self._tasks = [asyncio.create_task(self._check_roots()), asyncio.create_task(self._poll())]

    async def next(self) -> Batch:
        """The next batch."""
        await self._ready.wait()
        self._ready.clear()
        return self._settle.take()

    def again(self, paths: Iterable[str]) -> None:
        """Have `paths` told as if something had happened to them."""
        for path in paths:
            self._settle.changed(path, asyncio.get_running_loop().time())
        self._schedule()

    def pace(self, seconds: float) -> None:
        """Looking at the last batch took `seconds`."""
        self._interval = max(self._shortest, seconds * _BUSY_SHARE)

    def close(self) -> None:
        """Stop listening; idempotent."""
        for task in self._tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None

    # -- watches -----------------------------------------------------------------------------------------------------

    def _add_roots(self) -> None:
        for root in dict.fromkeys(area.root for area in self._areas):
            self._add_root(root)

    def _add_root(self, root: str) -> None:
        """Watch a root and what it is in: who is replaced or is a file is told of there."""
        self._roots[root] = _identity(root)
        parent, _, name = root.rpartition("/")
        self._names.setdefault(parent or "/", set()).add(name)
        if not self._watch(parent or "/", poll=False) and self._limit:
            self._polled.add(root)
        self._add_below(root)

    def _add_below(self, top: str) -> None:
        """Watch a directory and those below it that anything can count in."""
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            if not self._enters(directory) or not self._watch(directory):
                continue
            with contextlib.suppress(OSError), os.scandir(directory) as found:
                waiting += [item.path for item in found if item.is_dir(follow_symlinks=False)]

    def _watch(self, directory: str, *, poll: bool = True) -> bool:
        """Whether the directory is watched now; one that is gone or closed to us is not, one too many is polled."""
        if self._inotify is None or directory in self._remote:
            if poll:
                self._polled.add(directory)
            return False
        try:
            watch = self._inotify.add(directory, _MASK)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self._limit = _limit(error)
                if poll:
                    self._polled.add(directory)
            return False
        self._paths[watch] = directory
        self._watches[directory] = watch
        return True

    def _drop_below(self, top: str) -> None:
        """Forget the watches of a directory that moved away: their events would name it where it is not."""
        below = f"{top}/"
        for directory in [d for d in self._watches if d == top or d.startswith(below)]:
            watch = self._watches.pop(directory)
            if self._paths.get(watch) == directory:
                del self._paths[watch]
                with contextlib.suppress(OSError):
                    if self._inotify is not None:
                        self._inotify.remove(watch)

    def _enters(self, directory: str) -> bool:
        return any(directory in area and area.enters(directory) for area in self._areas)

    def _counts(self, path: str, *, directory: bool) -> bool:
        if path.endswith("/.gitignore"):  # it says what counts, whether it counts itself or not
            return True
        return any(path in area and (directory or area.counts(path)) for area in self._areas)

    # -- events ------------------------------------------------------------------------------------------------------

    def take(self, *events: inotify.Event) -> None:
        """Deal with events of the kernel."""
        now = asyncio.get_running_loop().time()
        for event in events:
            self._take(event, now)
        self._schedule()

    def _read(self) -> None:
        if self._inotify is not None:
            self.take(*self._inotify.read())

    def _take(self, event: inotify.Event, now: float) -> None:
        if event.mask & inotify.IN_Q_OVERFLOW:
            self._begin_again(now)
            return
        directory = self._paths.get(event.watch)
        if directory is None:
            return
        if event.mask & inotify.IN_IGNORED:
            del self._paths[event.watch]
            if self._watches.get(directory) == event.watch:
                del self._watches[directory]
            return
        if not event.name:
            return
        path = f"{directory.rstrip('/')}/{event.name}"
        is_directory = bool(event.mask & inotify.IN_ISDIR)
        if event.name in self._names.get(directory, ()) and event.mask & (_GONE | _NEW) and path in self._roots:
            self._root_changed(path, now)
            return
        if is_directory and event.mask & _GONE:
            self._drop_below(path)
        if is_directory and event.mask & _NEW and self._enters(path):
            self._add_below(path)
        if not self._counts(path, directory=is_directory) or (is_directory and not self._enters(path)):
            return
        # A file that was created or written to is complete when it is closed; links and directories are at once.
        writing = event.mask & (inotify.IN_MODIFY | inotify.IN_CREATE) and not is_directory
        complete = not writing or bool(event.mask & inotify.IN_CLOSE_WRITE) or _is_complete(path)
        self._settle.changed(path, now, complete=complete)

    def _root_changed(self, root: str, now: float) -> None:
        """A root was removed, moved or made: what it is now is watched anew."""
        self._drop_below(root)
        self._add_root(root)
        self._settle.changed(root, now)

    def _begin_again(self, now: float) -> None:
        """Events were lost: directories that nobody told of may be there."""
        for area in self._areas:
            self._add_below(area.root)
        self._settle.lost(now)

    async def _check_roots(self) -> None:
        while True:
            await asyncio.sleep(ROOT_CHECK)
            for root, identity in self._roots.items():
                if _identity(root) != identity:
                    self._root_changed(root, asyncio.get_running_loop().time())
            self._schedule()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            polled, self._polled = self._polled, set()
            for directory in polled:
                self._add_root(directory) if directory in self._roots else self._add_below(directory)
                self._settle.changed(directory, asyncio.get_running_loop().time())
            self._schedule()

    def _schedule(self) -> None:
        """Have the batch told when it is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._settle.due()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._tell)

    def _tell(self) -> None:
        """Tell the batch, unless git is still at it."""
        loop = asyncio.get_running_loop()
        if self._settle.may_wait(loop.time()) and any(map(os.path.lexists, self._locks)):
            self._timer = loop.call_later(_GIT_CHECK, self._tell)
        else:
            self._ready.set()


_Identity = tuple[tuple[int, int] | None, tuple[int, int] | None]


def _identity(path: str) -> _Identity:
    """What differs when another directory is at `path`, or holds it; not when a file is, which every save may replace."""
    return _inode(path), _inode(path.rpartition("/")[0] or "/")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - any encoding
    except OSError:
        return None
    return status.st_dev, status.st_ino if stat.S_ISDIR(status.st_mode) else 0


def _is_complete(path: str) -> bool:
    """Whether no close will follow: a link, or a further name of a file that was there."""
    try:
        status = os.lstat(path)
    except OSError:
        return True
    return (status.st_mode & 0o170000) != 0o100000 or status.st_nlink > 1


def _limit(error: OSError) -> str:
    which = "max_user_instances" if error.errno == errno.EMFILE else "max_user_watches"
    place = Path("/proc/sys/fs/inotify") / which
    now = place.read_text().strip() if place.exists() else "?"
    return (
        f"the kernel's limit fs.inotify.{which} ({now}) is reached; `sudo sysctl fs.inotify.{which}=524288` raises it"
    )
