"""The files of one service's containers: what they should have, what they have, and making one into the other.

What a container was given is in the ledger. Where the ledger is not enough (a container that has just started, a path in
doubt after a crash) the container itself is looked at: by inode and times where the ledger knows the file, by content where not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from composer.engine.confinement import Confinement
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.watching.deleted import Deleted
from composer.engine.world import State
from composer.errors import ImageError
from composer.unbroken import unbroken
from composer.watch.deliver import Delivery, Root
from composer.watch.ledger import Ledger
from composer.watch.plan import Remove, SyncFiles, Wanted, plan
from composer.watch.rules import Rule
from composer.watch.tree import DIRECTORY, FILE, Entry, Problem, Tree, stamp_of

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done in one container."""

    record: ContainerRecord
    files: SyncFiles
    catching_up: bool
    """Whether it is what was missed, rather than what has just changed."""
    brought: frozenset[str] = frozenset()
    """What an engine had brought in that died before it was done with what follows."""

    @property
    def targets(self) -> list[str]:
        """The paths that are written or removed."""
        return [operation.target for operation in self.files.operations]


class Files:
    """Plans and delivers for one service; every method may be called again."""

    def __init__(
        self,
        project: str,
        service: str,
        watched: Sequence[tuple[Rule, Tree]],
        rooms: Rooms,
        confinement: Confinement,
        ledger: Ledger,
    ) -> None:
        self._project = project
        self._service = service
        self._watched = [(rule, tree) for rule, tree in watched if rule.target]
        self._rooms = rooms
        self._confinement = confinement
        self._ledger = ledger
        self._deleted = Deleted(ledger, project, service, [rule for rule, _ in self._watched])
        self._unfollowed: dict[str, dict[str, Entry]] = {}
        """What a container had missed and has now: in doubt on disk until what follows is done, by its id."""

    def running(self) -> list[ContainerRecord]:
        """The service's containers that run."""
        return [
            record
            for record in self._rooms.store.containers_of(self._project)
            if record.service == self._service and record.state is State.RUNNING and not record.one_off
        ]

    async def plan(self, touched: set[str], catch_up: set[str]) -> list[Work]:
        """What every container needs: `touched` alone, or everything for those in `catch_up`."""
        paths = sorted(touched)
        some = {target: wanted for target in paths if (wanted := self._wanted(target)) is not None}
        works: list[Work] = []
        for record in self.running():
            if record.id in catch_up:
                work = await _unless_gone(self._plan_all, record)
            elif paths:
                work = await _unless_gone(self._plan_some, record, paths, some)
            else:
                continue
            if work and (work.files or work.brought):
                works.append(work)
        return works

    def doubt(self, targets: Iterable[str]) -> list[str]:
        """Have the files that come to `targets` told as changed by the next look; which these are, absolute."""
        doubted = []
        for target in targets:
            for rule, tree in self._watched:
                if rule.reaches(target):
                    relative = target[len(rule.target) + 1 :]
                    tree.doubts.add(relative)
                    doubted.append(f"{rule.root}/{relative}" if relative else rule.root)
        return doubted

    async def deliver(self, work: Work) -> Delivery:
        """Carry `work` out; a container that has ended meanwhile is caught up when it starts again."""
        identity = self._confinement.identity(work.record, self._confinement.image(work.record))
        return await _unless_gone(self._deliver, work, (identity.uid, identity.gid)) or Delivery()

    async def followed(self) -> None:
        """All that follows from what was missed is done: an engine that comes after us need not do it."""
        unfollowed, self._unfollowed = self._unfollowed, {}
        for container, entries in unfollowed.items():
            await unbroken(self._enter_followed, container, entries)

    async def verify(self) -> list[Problem]:
        """Compare what every container has with what it should have, by content."""
        found: list[Problem] = []
        for record in self.running():
            found += await _unless_gone(self._compare, record) or []
        return found

    # -- in threads ----------------------------------------------------------------------------------------------------

    def _plan_all(self, record: ContainerRecord) -> Work:
        given = self._ledger.entries(record.id)
        # What is about to be looked at again may be in the container as it is on disk, and not as it was seen.
        done = {rule.inside(path) for rule, tree in self._watched for path in list(tree.doubts)}
        want: dict[str, Wanted] = {}
        have: dict[str, Entry] = {}
        found: dict[str, Entry] = {}
        brought: dict[str, Entry] = {}
        unfollowed = self._unfollowed.setdefault(record.id, {})
        with self._root(record) as root:
            for target, rule, relative, entry in self._everything():
                if target in done:
                    continue
                done.add(target)
                former = given.get(target)
                there = _look(root, target, former)
                if former is not None and former.in_doubt and there is not None and entry.same(there):
                    if target not in unfollowed:
                        brought[target] = there
                elif there is not None and not there.same(former):
                    found[target] = there
                if not entry.same(there):
                    want[target] = _from(rule, relative, entry)
                    have |= {target: there} if there is not None else {}
            gone = (given.keys() | self._deleted_of(record)) - done
            have |= {target: there for target in gone if (there := _look(root, target, given.get(target))) is not None}
        self._ledger.enter(record.id, found)
        unfollowed.update(brought)
        return Work(record, plan(want.keys() | gone, want, have), True, frozenset(brought))

    def _plan_some(self, record: ContainerRecord, touched: Sequence[str], want: Mapping[str, Wanted]) -> Work:
        given = self._ledger.of(record.id, touched)
        have = {target: entry for target, entry in given.items() if not entry.in_doubt}
        if doubtful := [target for target in given if target not in have]:
            with self._root(record) as root:
                have |= {t: there for t in doubtful if (there := _look(root, t, None)) is not None}
        return Work(record, plan(touched, want, have), False)

    def _deliver(self, work: Work, owner: tuple[int, int]) -> Delivery:
        with self._root(work.record, owner) as root:
            removed = self._removed(work)
            self._ledger.doubt(work.record.id, work.targets)
            delivery = root.deliver(work.files)
        with contextlib.suppress(ImageError):  # no container will be made from it again
            self._deleted.note(self._confinement.image(work.record), removed)
        done = delivery.done
        if work.catching_up:
            kept = {target: entry for target, entry in done.items() if entry is not None}
            self._unfollowed.setdefault(work.record.id, {}).update(kept)
            done = dict.fromkeys(done.keys() - kept.keys())
        self._ledger.enter(work.record.id, done)
        return delivery

    def _enter_followed(self, container: str, entries: Mapping[str, Entry]) -> None:
        # What has been written or removed since is no longer in doubt.
        doubtful = (target for target, entry in self._ledger.of(container, entries).items() if entry.in_doubt)
        self._ledger.enter(container, {target: entries[target] for target in doubtful})

    def _removed(self, work: Work) -> set[str]:
        """The paths that go with `work`, what is in directories among them."""
        removed = {each.target for each in work.files.operations if isinstance(each, Remove)}
        if any(entry.kind == DIRECTORY for entry in self._ledger.of(work.record.id, removed).values()):
            removed |= {each for each in self._ledger.entries(work.record.id) if not removed.isdisjoint(_above(each))}
        return removed

    def _deleted_of(self, record: ContainerRecord) -> set[str]:
        with contextlib.suppress(ImageError):
            return self._deleted.of(self._confinement.image(record))
        return set()

    def _compare(self, record: ContainerRecord) -> list[Problem]:
        left = dict.fromkeys(self._ledger.entries(record.id))
        differences: dict[str, str] = {}
        with self._root(record) as root:
            for target, _, _, entry in self._everything():
                left.pop(target, None)
                differences.setdefault(target, _difference(entry, _look(root, target, None)))
            for target in left.keys() - differences.keys():
                differences[target] = _difference(None, _look(root, target, None))
        return [Problem(f"{record.name}:{target}", how) for target, how in sorted(differences.items()) if how]

    @contextlib.contextmanager
    def _root(self, record: ContainerRecord, owner: tuple[int, int] = (0, 0)) -> Iterator[Root]:
        """The container's root, open. Raises ProcessLookupError or FileNotFoundError when it has ended."""
        child = self._rooms.keeping.children.get(record.id)
        if child is None:
            raise ProcessLookupError
        with Root(f"/proc/{child.pid}/root", *owner) as root:
            signal.pidfd_send_signal(child.pidfd, 0)  # it lives, so the root is its own and not that of a later pid
            yield root

    # -- what should be there --------------------------------------------------------------------------------------------

    def _wanted(self, target: str) -> Wanted | None:
        """What should be at a path of the container: of the rules that reach it, the first one's."""
        for rule, tree in self._watched:
            if not rule.reaches(target):
                continue
            relative = target[len(rule.target) + 1 :]
            entry = tree.entries.get(relative)
            if entry is not None and not (relative == "" and entry.kind == DIRECTORY):
                return _from(rule, relative, entry)
        return None

    def _everything(self) -> Iterator[tuple[str, Rule, str, Entry]]:
        """All that a container should have: targets, of rules in their order, with what comes there."""
        for rule, tree in self._watched:
            for relative, entry in list(tree.entries.items()):
                target = rule.inside(relative)
                if (relative or entry.kind != DIRECTORY) and (not rule.covered or rule.reaches(target)):
                    yield target, rule, relative, entry


def _from(rule: Rule, relative: str, entry: Entry) -> Wanted:
    return Wanted(entry, f"{rule.root}/{relative}") if relative else Wanted(entry, rule.root, alone=True)


async def _unless_gone(function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R | None:
    """What `function` returns in a thread, None when the container has ended.

    Who gives up waits for it: nobody else may look or write there before it has noted what it found or did.
    """
    try:
        return await unbroken(function, *arguments, **options)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _look(root: Root, target: str, former: Entry | None) -> Entry | None:
    """What is at `target`; a file whose stamp is as `former` says is not read."""
    status = root.status(target)
    if status is None:
        return None
    return former if former is not None and _is_as(former, status) else root.entry(target, status)


def _above(target: str) -> Iterator[str]:
    """The directories that a path is in."""
    while target := target.rpartition("/")[0]:
        yield target


def _is_as(former: Entry, status: os.stat_result) -> bool:
    return former.kind == FILE and stat.S_ISREG(status.st_mode) and former.stamp == stamp_of(status)


def _difference(wanted: Entry | None, there: Entry | None) -> str:
    """How what is there differs from what is wanted, "" if it does not."""
    if wanted is None:
        return "is there and should not be" if there is not None else ""
    if there is None:
        return "is missing"
    if wanted.same(there):
        return ""
    return f"differs in {'mode' if (wanted.kind, wanted.digest) == (there.kind, there.digest) else 'content'}"
