"""One service under watch: files into its containers, then what its rules ask for; one turn at a time.

A turn takes everything that has gathered since the last one. That a restart follows is on record before the first file is
written, so an engine that dies in between restarts the container when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from composer.api.messages import Event, ExecRequest
from composer.engine.processes import Probe
from composer.engine.records import ContainerRecord
from composer.engine.watching.files import Work
from composer.engine.watching.reload import Reload, Step
from composer.errors import ComposerError
from composer.watch.deliver import Delivery
from composer.watch.rules import Exec, Rule, Triggers, merged
from composer.watch.tree import DIRECTORY, Problem, Tree

log = logging.getLogger("composer.engine")

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
    files: list[str] = field(default_factory=list)
    """The same, absolute."""
    catch_up: set[str] = field(default_factory=set)
    """Containers that have just started, by id."""
    since: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.rules or self.catch_up)

    def absorb(self, newer: Pending) -> None:
        """Take what has gathered since along."""
        self.touched |= newer.touched
        self.rules += newer.rules
        self.changed += newer.changed
        self.files += newer.files
        self.catch_up |= newer.catch_up


@dataclass(frozen=True, slots=True)
class Deeds:
    """What a service's rules may ask of the engine, beside files."""

    now: Callable[[], float]
    intend: Callable[[str, str], None]
    """Put on record that a service is to be restarted, for a cause."""
    restart: Callable[[str], Awaitable[bool]]
    """Restart what is to be restarted of a service; whether anything was."""
    rebuild: Callable[[str, str], Awaitable[None]]
    """Build a service's image again and recreate it, for a cause."""
    run: Callable[[ContainerRecord, ExecRequest, float], Awaitable[Probe]]
    """Run a command in a container to its end."""
    reload: Callable[[ContainerRecord, Reload], Awaitable[None]]
    """Tell a container's program that its files have changed."""


class Containers(Protocol):
    """The files of a service's containers; `files.Files` is the real one."""

    def running(self) -> list[ContainerRecord]: ...

    async def plan(self, touched: set[str], catch_up: set[str]) -> list[Work]: ...

    async def deliver(self, work: Work) -> Delivery: ...

    async def verify(self) -> list[Problem]: ...


class ServiceWatch:
    """Brings one service's containers up to date."""

    def __init__(
        self,
        name: str,
        watched: Sequence[tuple[Rule, Tree]],
        files: Containers,
        deeds: Deeds,
        emit: Callable[[Event], None],
        reload: Reload | None = None,
    ) -> None:
        self.name = name
        self.watched = tuple(watched)
        self.brought = 0
        """How many changes were brought in."""
        self.lag = 0.0
        """Seconds from the last save to its being done."""
        self._files = files
        self._deeds = deeds
        self._emit = emit
        self._reload = reload
        self._pending = Pending()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failed: set[str] = set()

    def start(self) -> None:
        """Begin to take turns, with catching up all containers that run."""
        self._pending.since = self._deeds.now()
        self._pending.catch_up.update(record.id for record in self._files.running())
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
        self._pending.files += [f"{rule.root}/{path}" if path else rule.root for path in paths]
        if rule.target:
            self._pending.touched.update(rule.inside(path) for path in paths)
        self._wake.set()
        self._idle.clear()

    def started(self, container: str) -> None:
        """A container of the service has just started."""
        if not self._pending:
            self._pending.since = self._deeds.now()
        self._pending.catch_up.add(container)
        self._wake.set()
        self._idle.clear()

    @property
    def selected(self) -> int:
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
        """Where containers differ from what they should have, by content."""
        return await self._files.verify()

    # -- turns -------------------------------------------------------------------------------------------------------

    async def _turns(self) -> None:
        first = True
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending, self._pending = self._pending, Pending()
            try:
                if pending:
                    await self._turn(pending)
                if first and await self._deeds.restart(self.name):  # what an engine before us had not come to
                    self._tell("restarted", pending)
                first = False
            except ComposerError as error:
                self._tell("error", pending, error.message, hint=error.hint)
            except Exception as error:
                log.exception("watching %s", self.name)
                hint = "`compose engine logs` has the traceback; please report it"
                self._tell("error", pending, f"the engine made a mistake: {error!r}", hint=hint)
            if not self._wake.is_set():
                self._idle.set()

    async def _turn(self, pending: Pending) -> None:
        if merged(pending.rules).rebuild:
            await self._rebuild(pending)
            return
        works = await self._files.plan(pending.touched, pending.catch_up)
        missed = [target for work in works if work.catching_up for target in work.targets]
        triggers = merged([*pending.rules, *self._reaching(missed)])
        steps = [step for step in self._reload.steps if step.concerns(pending.files)] if self._reload else []
        cause = f"{_named(pending.changed) or 'files'} changed"
        if triggers.restart and not steps:
            self._deeds.intend(self.name, cause)
        wrote = await self._deliver(works, pending)
        if steps and await self._ran(steps, pending):
            self._deeds.intend(self.name, cause)
            triggers = Triggers(restart=True)
        await self._follow(triggers, wrote, pending)
        self.lag = self._deeds.now() - pending.since

    def _reaching(self, targets: Sequence[str]) -> list[Rule]:
        """The rules that say what follows when these files of a container had to be changed."""
        return [rule for rule, _ in self.watched if any(rule.reaches(target) for target in targets)]

    async def _rebuild(self, pending: Pending) -> None:
        try:
            while not await self._rebuilt(pending):
                newer, self._pending = self._pending, Pending()
                pending.absorb(newer)
            self._tell("rebuilt", pending)
        except ComposerError as error:
            self._tell("error", pending, _said(error), hint=error.hint)
            # The old container goes on: it shall at least have the files.
            await self._deliver(await self._files.plan(pending.touched, pending.catch_up), pending)

    async def _rebuilt(self, pending: Pending) -> bool:
        """Rebuild; False when a newer change asked for the same before this was done, which ends it."""
        building = asyncio.ensure_future(self._deeds.rebuild(self.name, _named(pending.changed)))
        try:
            while not building.done():
                woken = asyncio.ensure_future(self._wake.wait())
                await asyncio.wait((building, woken), return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
                if building.done():
                    break
                self._wake.clear()
                if merged(self._pending.rules).rebuild:
                    self._tell("superseded", pending)
                    return False
            await building
        finally:
            if not building.done():
                building.cancel()
                await asyncio.wait([building])
            if self._pending:
                self._wake.set()  # what came meanwhile and is no reason to begin anew has its turn after this
        return True

    async def _deliver(self, works: Sequence[Work], pending: Pending) -> int:
        """Bring the files in; how many were."""
        deliveries = await asyncio.gather(*(self._files.deliver(work) for work in works))
        for work, delivery in zip(works, deliveries, strict=True):
            self._failed.discard(work.record.id)
            if delivery.problems:
                self._failed.add(work.record.id)
                self._tell("error", pending, _problems(work.record.name, delivery.problems))
        wrote = sum(len(delivery.done) for delivery in deliveries)
        if wrote:
            self.brought += wrote
            self._tell("synced", pending, f"{wrote} {'file' if wrote == 1 else 'files'}")
        return wrote

    async def _follow(self, triggers: Triggers, wrote: int, pending: Pending) -> None:
        """Do what the rules ask for once the files are there."""
        if triggers.restart:
            if await self._deeds.restart(self.name):
                self._tell("restarted", pending)
            return
        for command in triggers.execs:
            for record in self._files.running():
                await self._exec(record, command, pending)
        if wrote and self._reload is not None and self._reload.tells:
            await asyncio.sleep(self._reload.settle)
            for record in self._files.running():
                await self._deeds.reload(record, self._reload)
            self._tell("reloaded", pending, str(self._reload))

    async def _ran(self, steps: Sequence[Step], pending: Pending) -> bool:
        """Run the steps in every container; whether all went well, so that the service may start anew."""
        for step in steps:
            for record in self._files.running():
                if not await self._exec(record, step.command, pending):
                    return False
        return True

    async def _exec(self, record: ContainerRecord, command: Exec, pending: Pending) -> bool:
        """Run a command in a container, and tell how it ended; whether well."""
        request = ExecRequest(
            service=self.name,
            command=command.command,
            environment=command.environment,
            user=command.user,
            working_dir=command.working_dir,
            privileged=command.privileged,
        )
        outcome = await self._deeds.run(record, request, _EXEC_TIMEOUT)
        words = " ".join(command.command)
        if outcome.status == 0:
            self._tell("executed", pending, f"`{words}`")
        else:
            said = f": {outcome.output}" if outcome.output else ""
            self._tell("error", pending, f"`{words}` in {record.name} failed with status {outcome.status}{said}")
        return outcome.status == 0

    def _tell(self, status: str, pending: Pending, detail: str = "", *, hint: str = "") -> None:
        seconds = self._deeds.now() - pending.since if pending else 0.0
        self._emit(Event("watch", self.name, status, _named(pending.changed), detail, hint, seconds, self.name))


def _said(error: ComposerError) -> str:
    """What went wrong with a build, with its place in the Dockerfile."""
    place = error.location
    return f"{Path(place.file).name}:{place.line}: {error.message}" if place else error.message


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
