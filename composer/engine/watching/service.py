"""One service under watch: files into its containers, then what its rules ask for; one turn at a time.

A turn takes everything that has gathered since the last one. What a container has is known from the ledger; a container that
has just started is caught up, whatever was missed while it did not run or nobody watched: all that it should have is compared
with what it has, by inode and times where the ledger knows them and by content where it does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import stat
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from composer.api.messages import Event, ExecRequest
from composer.engine.confinement import Confinement
from composer.engine.processes import Processes
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.world import State
from composer.errors import ComposerError
from composer.watch.deliver import Delivery, Root
from composer.watch.ledger import Ledger
from composer.watch.plan import Wanted, plan
from composer.watch.rules import Exec, Rule, Triggers, merged
from composer.watch.tree import DIRECTORY, FILE, Entry, Problem, Tree, stamp_of

_EXEC_TIMEOUT = 600.0
_SHOWN = 3
"""How many paths or problems are named."""


@dataclass(slots=True)
class Pending:
    """What has gathered for the next turn."""

    touched: set[str] = field(default_factory=set)
    """Paths in the container."""
    rules: list[Rule] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Paths here, for messages."""
    catch_up: set[str] = field(default_factory=set)
    """Containers that have just started, by id."""
    since: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.rules or self.catch_up)


@dataclass(frozen=True, slots=True)
class Deeds:
    """What a service's rules may ask for, beside files."""

    restart: Callable[[str, str], Awaitable[None]]
    """Restart a service, for a cause."""
    rebuild: Callable[[str, str], Awaitable[None]]
    """Build a service's image again and recreate it, for a cause."""


class ServiceWatch:
    """Brings one service's containers up to date."""

    def __init__(
        self,
        name: str,
        project: str,
        watched: Sequence[tuple[Rule, Tree]],
        rooms: Rooms,
        confinement: Confinement,
        processes: Processes,
        ledger: Ledger,
        deeds: Deeds,
        emit: Callable[[Event], None],
    ) -> None:
        self.name = name
        self.watched = tuple(watched)
        self.files = 0
        """How many changes were brought in."""
        self.lag = 0.0
        """Seconds from the last save to its being done."""
        self._project = project
        self._rooms = rooms
        self._confinement = confinement
        self._processes = processes
        self._ledger = ledger
        self._deeds = deeds
        self._emit = emit
        self._pending = Pending()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failed: set[str] = set()

    def start(self) -> None:
        """Begin to take turns, with catching up all containers that run."""
        for record in self._running():
            self._pending.catch_up.add(record.id)
        self._pending.since = self._rooms.clock.monotonic()
        self._wake.set()
        self._task = asyncio.create_task(self._turns())

    async def close(self) -> None:
        """Stop; a delivery that is under way is finished."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def changed(self, rule: Rule, paths: Iterable[str], since: float) -> None:
        """The files at `paths`, relative to the rule's root, differ from before."""
        paths = list(paths)
        if not self._pending:
            self._pending.since = since
        self._pending.rules.append(rule)
        self._pending.changed += [rule.shown(path) for path in paths]
        if rule.target:
            self._pending.touched.update(rule.inside(path) for path in paths)
        self._wake.set()
        self._idle.clear()

    def started(self, container: str) -> None:
        """A container of the service has just started."""
        if not self._pending:
            self._pending.since = self._rooms.clock.monotonic()
        self._pending.catch_up.add(container)
        self._wake.set()
        self._idle.clear()

    @property
    def watched_files(self) -> int:
        """How many files its rules select."""
        return sum(entry.kind != DIRECTORY for _, tree in self.watched for entry in list(tree.entries.values()))

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do and nothing that could not be done."""
        return self._idle.is_set() and not self._failed

    async def settled(self) -> None:
        """Return when there is nothing left to do."""
        await self._idle.wait()

    async def verify(self) -> list[Problem]:
        """Compare what every container has with what it should have, by content."""
        found: list[Problem] = []
        for record in self._running():
            found += await asyncio.to_thread(self._compare, record, self._everything())
        return found

    # -- turns -------------------------------------------------------------------------------------------------------

    async def _turns(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending, self._pending = self._pending, Pending()
            if pending:
                try:
                    await self._turn(pending)
                except ComposerError as error:
                    self._tell("error", pending, error.message, hint=error.hint)
            if not self._wake.is_set():
                self._idle.set()

    async def _turn(self, pending: Pending) -> None:
        triggers = merged(pending.rules)
        if triggers.rebuild:
            await self._rebuild(pending)
            return
        caught_up, missed = await self._catch_up(pending)
        wrote = [*missed, *await self._sync(pending, without=caught_up)]
        if wrote:
            self.files += len(wrote)
            self._tell("synced", pending, f"{len(wrote)} {'file' if len(wrote) == 1 else 'files'}")
        await self._follow(merged([*pending.rules, *self._reaching(missed)]), pending)
        self.lag = self._rooms.clock.monotonic() - pending.since

    def _reaching(self, targets: Sequence[str]) -> list[Rule]:
        """The rules that say what follows when these files of a container had to be changed."""
        rules = [rule for rule, _ in self.watched if rule.target]
        return [rule for rule in rules if any(t == rule.target or t.startswith(f"{rule.target}/") for t in targets)]

    async def _rebuild(self, pending: Pending) -> None:
        try:
            await self._deeds.rebuild(self.name, _named(pending.changed))
            self._tell("rebuilt", pending)
        except ComposerError as error:
            self._tell("error", pending, error.message, hint=error.hint)
            # The old container goes on: it shall at least have the files.
            await self._sync(pending, without=())

    async def _follow(self, triggers: Triggers, pending: Pending) -> None:
        if triggers.restart:
            await self._deeds.restart(self.name, _named(pending.changed))
            self._tell("restarted", pending)
        for command in triggers.execs:
            for record in self._running():
                await self._exec(record, command, pending)

    async def _exec(self, record: ContainerRecord, command: Exec, pending: Pending) -> None:
        request = ExecRequest(
            service=self.name,
            command=command.command,
            environment=command.environment,
            user=command.user,
            working_dir=command.working_dir,
            privileged=command.privileged,
        )
        outcome = await self._processes.run(record, request, _EXEC_TIMEOUT)
        words = " ".join(command.command)
        if outcome.status == 0:
            self._tell("executed", pending, f"`{words}`")
        else:
            said = f": {outcome.output}" if outcome.output else ""
            self._tell("error", pending, f"`{words}` in {record.name} failed with status {outcome.status}{said}")

    # -- files -------------------------------------------------------------------------------------------------------

    async def _sync(self, pending: Pending, without: Iterable[str]) -> list[str]:
        """Bring what was touched into every container that runs; what was written or removed."""
        if not pending.touched:
            return []
        touched = sorted(pending.touched)
        want = {target: wanted for target in touched if (wanted := self._wanted(target)) is not None}
        records = [record for record in self._running() if record.id not in without]
        brought = await asyncio.gather(*(self._bring(record, touched, want, pending) for record in records))
        return [target for targets in brought for target in targets]

    async def _catch_up(self, pending: Pending) -> tuple[list[str], list[str]]:
        """Bring containers up to date that have just started; which, and what was written or removed."""
        records = [record for record in self._running() if record.id in pending.catch_up]
        want = self._everything() if records else {}
        brought = await asyncio.gather(*(self._bring(record, None, want, pending) for record in records))
        return [record.id for record in records], [target for targets in brought for target in targets]

    async def _bring(
        self, record: ContainerRecord, touched: Sequence[str] | None, want: Mapping[str, Wanted], pending: Pending
    ) -> list[str]:
        """What was written or removed in one container."""
        try:
            identity = self._confinement.identity(record, self._confinement.image(record))
            work = asyncio.to_thread(self._deliver, record, (identity.uid, identity.gid), touched, want)
            delivery = await asyncio.shield(asyncio.ensure_future(work))
        except (FileNotFoundError, ProcessLookupError):
            return []  # it has ended: when it starts again it is caught up
        self._failed.discard(record.id)
        if delivery.problems:
            self._failed.add(record.id)
            self._tell("error", pending, _problems(record.name, delivery.problems))
        return list(delivery.done)

    def _deliver(
        self, record: ContainerRecord, owner: tuple[int, int], touched: Sequence[str] | None, want: Mapping[str, Wanted]
    ) -> Delivery:
        """Make the container's `touched` (None: everything) what is wanted; in a thread."""
        with self._root(record, owner) as root:
            if touched is None:
                given = self._ledger.entries(record.id)
                touched = sorted(want.keys() | given.keys())
                have = _have(root, given, touched)
                known = {t: e for t, e in have.items() if t in want and not e.same(given.get(t))}
                self._ledger.enter(record.id, known)
            else:
                given = self._ledger.of(record.id, touched)
                have = {target: entry for target, entry in given.items() if not entry.in_doubt}
                have |= _have(root, {}, [target for target in given if target not in have])
            files = plan(touched, want, have)
            if not files:
                return Delivery()
            self._ledger.doubt(record.id, [operation.target for operation in files.operations])
            delivery = root.deliver(files)
        self._ledger.enter(record.id, delivery.done)
        return delivery

    def _compare(self, record: ContainerRecord, want: Mapping[str, Wanted]) -> list[Problem]:
        """Where a container differs from what it should have; in a thread."""
        with self._root(record, (0, 0)) as root:
            given = self._ledger.entries(record.id)
            have = _have(root, {}, sorted(want.keys() | given.keys()))
        found = []
        for target in sorted(want.keys() | have.keys()):
            wanted, there = want.get(target), have.get(target)
            if wanted is None:
                found.append(Problem(f"{record.name}:{target}", "is there and should not be"))
            elif there is None:
                found.append(Problem(f"{record.name}:{target}", "is missing"))
            elif not wanted.entry.same(there):
                what = "mode" if wanted.entry.digest == there.digest and wanted.entry.kind == there.kind else "content"
                found.append(Problem(f"{record.name}:{target}", f"differs in {what}"))
        return found

    @contextlib.contextmanager
    def _root(self, record: ContainerRecord, owner: tuple[int, int]) -> Iterator[Root]:
        """The container's root, open. Raises ProcessLookupError or FileNotFoundError when it has ended."""
        child = self._rooms.keeping.children.get(record.id)
        if child is None:
            raise ProcessLookupError
        with Root(f"/proc/{child.pid}/root", *owner) as root:
            signal.pidfd_send_signal(child.pidfd, 0)  # it lives, so the root is its own and not that of a later pid
            yield root

    def _wanted(self, target: str) -> Wanted | None:
        """What should be at a path of the container: of the rules that reach it, the first one's."""
        for rule, tree in self.watched:
            if not rule.target or not (target == rule.target or target.startswith(f"{rule.target}/")):
                continue
            relative = target[len(rule.target) + 1 :]
            entry = tree.entries.get(relative)
            if entry is not None and not (relative == "" and entry.kind == DIRECTORY):
                return Wanted(entry, f"{rule.root}/{relative}" if relative else rule.root)
        return None

    def _everything(self) -> dict[str, Wanted]:
        """All that a container should have."""
        want: dict[str, Wanted] = {}
        for rule, tree in self.watched:
            if not rule.target:
                continue
            for relative, entry in list(tree.entries.items()):
                if relative or entry.kind != DIRECTORY:
                    source = f"{rule.root}/{relative}" if relative else rule.root
                    want.setdefault(rule.inside(relative), Wanted(entry, source))
        return want

    def _running(self) -> list[ContainerRecord]:
        return [
            record
            for record in self._rooms.store.containers_of(self._project)
            if record.service == self.name and record.state is State.RUNNING and not record.one_off
        ]

    def _tell(self, status: str, pending: Pending, detail: str = "", *, hint: str = "") -> None:
        seconds = self._rooms.clock.monotonic() - pending.since
        event = Event("watch", self.name, status, _named(pending.changed), detail, hint, seconds, self.name)
        self._emit(event)


def _have(root: Root, given: Mapping[str, Entry], targets: Sequence[str]) -> dict[str, Entry]:
    """What is at `targets`; files whose stamp is as in `given` are not read."""
    found: dict[str, Entry] = {}
    for target, status in root.observe(targets).items():
        former = given.get(target)
        if (
            former is not None
            and former.kind == FILE
            and former.stamp == stamp_of(status)
            and stat.S_ISREG(status.st_mode)
        ):
            found[target] = former
        elif (entry := root.entry(target, status)) is not None:
            found[target] = entry
    return found


def _named(paths: Sequence[str]) -> str:
    """The first few of some paths, and how many more."""
    distinct = list(dict.fromkeys(paths))
    shown = ", ".join(distinct[:_SHOWN])
    more = len(distinct) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _problems(container: str, problems: Sequence[Problem]) -> str:
    shown = "; ".join(f"cannot write `{problem.path}` in {container}: {problem.why}" for problem in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown
