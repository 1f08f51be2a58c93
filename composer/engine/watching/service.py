"""One service under watch: files into its containers, then what its rules ask for; one turn at a time.

A turn takes everything that has gathered since the last one. That a restart follows is on record before the first file is
written, so an engine that dies in between restarts the container when it is back; that changes were dealt with is on record
when everything that follows from them is done. What could not be brought in is owed: it is tried again with the next turn, and
of itself, later each time. What was not found as it had been seen is looked at again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from composer.api.messages import Event
from composer.engine.watching.deeds import Containers, Deeds
from composer.engine.watching.files import Work
from composer.engine.watching.follow import Ended, Follow
from composer.engine.watching.pending import Pending
from composer.engine.watching.reload import Reload
from composer.engine.watching.sight import Change
from composer.errors import ComposerError
from composer.unbroken import ended
from composer.watch.rules import Rule, Triggers, merged
from composer.watch.tree import DIRECTORY, Problem, Tree

log = logging.getLogger("composer.engine")

_FIRST, _LONGEST = 0.02, 60.0
"""Seconds until what is owed is tried again, at first and at last; twice as long each time."""
_SOON = 0.5
"""What is tried again within so many seconds is waited for."""
_SHOWN = 3
"""How many problems are named."""


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
        self.held = Pending()
        """What a container ended over; for its next start."""
        self.is_built = True
        """Whether the last rebuild went well."""
        self._files = files
        self._deeds = deeds
        self._emit = emit
        self._follow = Follow(name, files, deeds, self._tell, reload)
        self._pending = Pending()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delay = _FIRST
        self._since = self._lag = 0.0
        self._problems: set[Problem] = set()
        """What could not be brought in."""
        self._error = ""
        """What the last turn failed with: it is told once."""

    def start(self) -> None:
        """Begin to take turns, with catching up all containers that run."""
        self._since = self._deeds.now()
        self.catch_up()
        self._wake.set()
        self._task = asyncio.create_task(self._turns())

    async def close(self) -> None:
        """Stop; a delivery that is under way is finished."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await ended(self._task)

    def changed(self, rule: Rule, change: Change, since: float) -> None:
        """Files of a rule differ from before."""
        self._pending.add(rule, change, since)
        self._stir()

    def started(self, container: str) -> None:
        """A container of the service has just started."""
        self._pending.absorb(self.held)
        self.held = Pending()
        self._pending.catch(container, self._deeds.now())
        self._stir()

    def catch_up(self) -> None:
        """Any container may have started."""
        for record in self._files.running():
            self.started(record.id)

    @property
    def selected(self) -> int:
        """How many files its rules select."""
        return sum(entry.kind != DIRECTORY for _, tree in self.watched for entry in list(tree.entries.values()))

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do and nothing that could not be done."""
        return self._idle.is_set() and self.is_built and not self._problems and not self._pending

    @property
    def lag(self) -> float:
        """Seconds that it is behind, or in sync: that it took from the last save until it was done."""
        return self._lag if self._idle.is_set() else self._deeds.now() - self._since

    async def settled(self) -> None:
        """Return when there is nothing left to do."""
        await self._idle.wait()

    async def verify(self) -> list[Problem]:
        """Where containers differ from what they should have, by content."""
        return await self._files.verify()

    # -- turns -------------------------------------------------------------------------------------------------------

    def _stir(self) -> None:
        if self._idle.is_set():
            self._since = self._pending.since
            self._idle.clear()
        self._wake.set()

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
                self._error = ""
            except ComposerError as error:
                self._fail(pending, error.message, error.hint)
            except Ended:
                # It has begun again already, or will: its start is when it is done again.
                (self._pending if self._pending.catch_up else self.held).absorb(pending)
            except Exception as error:
                log.exception("watching %s", self.name)
                hint = "`compose engine logs` has the traceback; please report it"
                self._fail(pending, f"the engine made a mistake: {error!r}", hint)
            if self._pending and not self._wake.is_set():
                self._again()
            elif not self._pending:
                self._delay = _FIRST
            if not self._wake.is_set() and not (self._pending and self._delay < _SOON):
                self._idle.set()

    def _fail(self, pending: Pending, message: str, hint: str) -> None:
        if pending.changes or message != self._error:
            self._tell("error", pending, message, hint=hint)
        self._error = message

    def _again(self) -> None:
        """Have what is owed tried again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._delay, self._wake.set)
        self._delay = min(self._delay * 2, _LONGEST)

    async def _turn(self, pending: Pending) -> None:
        if is_anew := merged(pending.rules).rebuild:
            await self._rebuild(pending)
        else:
            is_anew = await self._sync(pending)
        self._lag = self._deeds.now() - pending.since
        commands = pending.commands() if is_anew else Pending()
        await self._deeds.done([each for each in pending.changes if each not in commands.changes])
        if commands:  # they run in what has begun anew, once that has its files
            self._pending.absorb(commands)
            self._wake.set()
        else:
            await self._files.followed()

    async def _sync(self, pending: Pending) -> bool:
        """Bring files in and do what follows; whether containers began anew, and commands have not run yet."""
        try:
            works = await self._files.plan(pending.touched | pending.owed, pending.catch_up)
            missed = {target for work in works if work.catching_up for target in work.targets}
            brought = {target for work in works for target in work.brought}
            pending.due += self._reaching(missed | brought)
            steps = self._follow.steps(pending)
            if is_intended := merged(pending.rules).restart and not steps:
                self._deeds.intend(self.name, _cause(pending))
            wrote = await self._deliver(works, pending)
        except Exception:
            self._pending.absorb(pending)  # nothing of it is lost; what was done is found done
            raise
        if steps and not await self._follow.run(steps, pending):
            return False
        # What was owed and came only now is what its rules wait for.
        pending.due += self._reaching(wrote & pending.owed)
        triggers = Triggers(restart=True) if steps else merged(pending.rules)
        if triggers.restart and not is_intended:
            self._deeds.intend(self.name, _cause(pending))
        await self._follow.follow(triggers, pending, wrote=bool(wrote or brought))
        return triggers.restart

    def _reaching(self, targets: Iterable[str]) -> list[Rule]:
        """The rules that say what follows when these files of a container had to be changed."""
        targets = tuple(targets)
        return [rule for rule, _ in self.watched if any(rule.reaches(target) for target in targets)]

    async def _rebuild(self, pending: Pending) -> None:
        try:
            while not await self._rebuilt(pending):
                newer, self._pending = self._pending, Pending()
                pending.absorb(newer)
            self.is_built = True
            self._tell("rebuilt", pending)
            self.catch_up()  # where the image is the one that was there, containers are, too
        except ComposerError as error:
            self.is_built = False
            self._tell("error", pending, _said(error), hint=error.hint)
            # The old container goes on: it shall at least have the files.
            self._pending.owe(pending.touched | pending.owed, pending.since)
            self._pending.catch_up |= pending.catch_up
            self._wake.set()

    async def _rebuilt(self, pending: Pending) -> bool:
        """Rebuild; False when a newer change asked for the same before this was done, which ends it."""
        building = asyncio.ensure_future(self._deeds.rebuild(self.name, str(pending)))
        try:
            while not building.done():
                woken = asyncio.ensure_future(self._wake.wait())
                try:
                    await asyncio.wait((building, woken), return_when=asyncio.FIRST_COMPLETED)
                finally:
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
                await ended(building)
            if self._pending:
                self._wake.set()  # what came meanwhile and is no reason to begin anew has its turn after this
        return True

    async def _deliver(self, works: Sequence[Work], pending: Pending) -> set[str]:
        """Bring the files in; which were."""
        delivering = [asyncio.create_task(self._files.deliver(work)) for work in works]
        try:
            deliveries = await asyncio.gather(*delivering)
        finally:
            await ended(*delivering)  # where one fails, too: the next turn delivers to the same containers
        known, self._problems = self._problems, set()
        for work, delivery in zip(works, deliveries, strict=True):
            problems = [Problem(f"{work.record.name}:{each.path}", each.why) for each in delivery.problems]
            self._problems.update(problems)
            self._pending.owe(delivery.left, pending.since)
            if delivery.stale:
                self._deeds.look(self._files.doubt(delivery.stale))
            if fresh := [problem for problem in problems if problem not in known]:
                self._tell("error", pending, _listed(fresh))
        count = sum(len(delivery.done) for delivery in deliveries)
        if count:
            self.brought += count
            self._tell("synced", pending, f"{count} {'file' if count == 1 else 'files'}")
        return {target for delivery in deliveries for target in delivery.done}

    def _tell(self, status: str, pending: Pending, detail: str = "", *, hint: str = "") -> None:
        seconds = self._deeds.now() - pending.since if pending else 0.0
        self._emit(Event("watch", self.name, status, str(pending), detail, hint, seconds, self.name))


def _cause(pending: Pending) -> str:
    return f"{str(pending) or 'files'} changed"


def _said(error: ComposerError) -> str:
    """What went wrong with a build, with its place in the Dockerfile."""
    place = error.location
    return f"{Path(place.file).name}:{place.line}: {error.message}" if place else error.message


def _listed(problems: Sequence[Problem]) -> str:
    shown = "; ".join(f"cannot write `{each.path}`: {each.why}" for each in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown
