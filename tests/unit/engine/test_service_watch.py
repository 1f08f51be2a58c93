"""The turns of one service, with deeds that only take notes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from composer.api.messages import Event, ExecRequest
from composer.engine.processes import Probe
from composer.engine.records import ContainerRecord
from composer.engine.watching.deeds import Deeds
from composer.engine.watching.files import Work
from composer.engine.watching.reload import Reload
from composer.engine.watching.service import ServiceWatch
from composer.engine.watching.sight import Change
from composer.errors import ContainerError
from composer.unbroken import whole
from composer.watch.deliver import Delivery
from composer.watch.plan import SyncFiles
from composer.watch.rules import Action, Exec, Rule
from composer.watch.selection import Selection
from composer.watch.tree import Problem
from tests.patience import PATIENCE
from tests.unit.engine.shop import config

REBUILD = Rule("web", Action.REBUILD, Selection("/p/src"))
SYNC = Rule("web", Action.SYNC, Selection("/p/src"), "/src")
RESTART = Rule("web", Action.RESTART, Selection("/p/conf"))
MIGRATE = Rule("web", Action.SYNC_AND_EXEC, Selection("/p/db"), "/db", Exec(("migrate",)))


class NoContainers:
    """A service that has none."""

    def running(self) -> list[ContainerRecord]:
        return []

    async def plan(self, touched: set[str], catch_up: set[str]) -> list[Work]:
        return []

    def doubt(self, targets: Iterable[str]) -> list[str]:
        raise AssertionError(targets)

    async def deliver(self, work: Work) -> Delivery:
        raise AssertionError(work)

    async def followed(self) -> None:
        return

    async def verify(self) -> list[Problem]:
        return []


class OneContainer(NoContainers):
    """A service with one container, which has all its files."""

    def running(self) -> list[ContainerRecord]:
        return [ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "")]


class TwoContainers(NoContainers):
    """A service with two; to bring files into the second one takes until it is let go on, whoever gives up."""

    def __init__(self, fails: bool) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.delivered: list[str] = []
        self._fails = fails

    async def plan(self, touched: set[str], catch_up: set[str]) -> list[Work]:
        records = [ContainerRecord(id_, id_, "shop", "web", 1, config(), "") for id_ in ("c1", "c2")]
        return [Work(record, SyncFiles(), catching_up=False) for record in records] if touched else []

    async def deliver(self, work: Work) -> Delivery:
        if work.record.id == "c1" and self._fails:
            self._fails = False
            raise ContainerError("its image is gone")
        if work.record.id == "c2":
            assert not self.begun.is_set() or self.go_on.is_set(), "two write into one container at once"
            self.begun.set()
            await whole(self._slowly())
        return Delivery()

    async def _slowly(self) -> None:
        await self.go_on.wait()
        self.delivered.append("c2")


class Notes:
    """Deeds that are noted; `build` says how a rebuild goes."""

    def __init__(self, build: Callable[[], Awaitable[None]]) -> None:
        self.done: list[str] = []
        self.dealt_with: list[str] = []
        self.begun = asyncio.Event()
        """A rebuild has begun."""
        self._build = build

    def deeds(self) -> Deeds:
        return Deeds(
            lambda: 0.0,
            self._intend,
            self._restart,
            self._rebuild,
            self._run,
            self._ended,
            self._reload,
            self._look,
            self._done,
        )

    def _intend(self, service: str, cause: str) -> None:
        self.done.append(f"intend: {cause}")

    async def _restart(self, service: str) -> bool:
        self.done.append("restart")
        return True

    async def _rebuild(self, service: str, cause: str) -> None:
        self.done.append(f"rebuild for {cause}")
        self.begun.set()
        await self._build()
        self.done.append("rebuilt")

    async def _run(self, record: ContainerRecord, request: ExecRequest, timeout: float) -> Probe:
        self.done.append(f"run {' '.join(request.command)} for {self.dealt_with}")
        return Probe(0, "")

    async def _reload(self, record: ContainerRecord, reload: Reload) -> None:
        raise AssertionError(reload)

    async def _ended(self, record: ContainerRecord) -> bool:
        raise AssertionError(record)

    def _look(self, paths: list[str]) -> None:
        raise AssertionError(paths)

    async def _done(self, changes: list[tuple[Rule, Change]]) -> None:
        self.dealt_with += [path for _, change in changes for path in change]


def turns(
    notes: Notes, act: Callable[[ServiceWatch], Awaitable[None]], files: NoContainers | None = None
) -> list[Event]:
    events: list[Event] = []

    async def run() -> None:
        watch = ServiceWatch("web", [], files or NoContainers(), notes.deeds(), events.append)
        watch.start()
        await watch.settled()
        notes.done.clear()
        try:
            await act(watch)
            await asyncio.wait_for(watch.settled(), PATIENCE)
        finally:
            await watch.close()

    asyncio.run(run())
    return events


async def at_once() -> None:
    """A build that is done as soon as it begins."""


def test_a_restart_is_on_record_before_it_happens() -> None:
    notes = Notes(at_once)

    async def act(watch: ServiceWatch) -> None:
        watch.changed(RESTART, {"a": None}, 0.0)

    turns(notes, act)

    assert notes.done == ["intend: conf/a changed", "restart"]


@pytest.mark.parametrize(("rule", "last"), [(RESTART, "restart"), (REBUILD, "rebuilt")])
def test_a_command_runs_in_what_began_anew_and_is_dealt_with_then(rule: Rule, last: str) -> None:
    notes = Notes(at_once)

    async def act(watch: ServiceWatch) -> None:
        watch.changed(MIGRATE, {"1.sql": None}, 0.0)
        watch.changed(rule, {"a": None}, 0.0)

    turns(notes, act, OneContainer())

    assert notes.done[-2:] == [last, "run migrate for ['a']"]
    assert notes.dealt_with == ["a", "1.sql"]


def test_a_newer_change_supersedes_a_rebuild() -> None:
    async def build() -> None:
        if len(notes.done) == 1:
            await asyncio.sleep(3600)

    notes = Notes(build)

    async def act(watch: ServiceWatch) -> None:
        watch.changed(REBUILD, {"a": None}, 0.0)
        await notes.begun.wait()
        watch.changed(REBUILD, {"b": None}, 0.0)

    events = turns(notes, act)

    assert notes.done == ["rebuild for src/a", "rebuild for src/a, src/b", "rebuilt"]
    assert [event.status for event in events if event.status != "restarted"] == ["superseded", "rebuilt"]


def test_another_change_waits_for_the_rebuild() -> None:
    begun = asyncio.Event()

    async def build() -> None:
        await begun.wait()

    notes = Notes(build)

    async def act(watch: ServiceWatch) -> None:
        watch.changed(REBUILD, {"a": None}, 0.0)
        await notes.begun.wait()
        watch.changed(RESTART, {"b": None}, 0.0)
        await asyncio.sleep(0)
        begun.set()

    turns(notes, act)

    assert notes.done == ["rebuild for src/a", "rebuilt", "intend: conf/b changed", "restart"]


def test_a_rebuild_that_fails_is_told_and_the_watch_goes_on() -> None:
    async def build() -> None:
        raise ContainerError("no such stage")

    notes = Notes(build)

    async def act(watch: ServiceWatch) -> None:
        watch.changed(REBUILD, {"a": None}, 0.0)
        await watch.settled()
        watch.changed(RESTART, {"b": None}, 0.0)

    events = turns(notes, act)

    assert [event.detail for event in events if event.status == "error"] == ["no such stage"]
    assert notes.done[-1] == "restart"


def test_a_container_is_left_alone_until_what_another_ones_failure_ended_has_ended() -> None:
    files = TwoContainers(fails=True)

    async def act(watch: ServiceWatch) -> None:
        watch.changed(SYNC, {"a": None}, 0.0)
        await files.begun.wait()
        await asyncio.sleep(0.05)  # it would be tried again after 0.02
        files.go_on.set()

    events = turns(Notes(at_once), act, files)

    assert [event.detail for event in events if event.status == "error"] == ["its image is gone"]
    assert files.delivered == ["c2", "c2"]


def test_a_watch_that_is_closed_has_delivered_what_was_under_way_whoever_gives_up() -> None:
    files = TwoContainers(fails=False)

    async def scenario() -> None:
        watch = ServiceWatch("web", [], files, Notes(at_once).deeds(), lambda _event: None)
        watch.start()
        watch.changed(SYNC, {"a": None}, 0.0)
        await files.begun.wait()
        closing = asyncio.create_task(watch.close())
        for _ in range(2):
            await asyncio.sleep(0)
            closing.cancel()
        await asyncio.sleep(0.01)
        assert not closing.done()
        files.go_on.set()
        await asyncio.wait([closing])

        assert files.delivered == ["c2"]

    asyncio.run(scenario())
