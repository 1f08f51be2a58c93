"""One project under watch: listens to its files, looks at what changed, and tells the services that it concerns.

    read the project ─▶ rules ─▶ listen, then look at everything, then catch the containers up ─▶ batches, for ever
           ▲                                                                                         │
           └──────────────────── a Compose file, an env file, an ignore file changed ◀───────────────┘

Listening begins before looking, and what was read before listening began is read once more after, so nothing falls between.
Services deal with what they were told before the rules are read anew; what was seen last is compared with what is seen first.
A project that cannot be read is told and the last one that could goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from composer.api.messages import WatchedService, WatchRequest, WatchStatus
from composer.engine.watching.acting import Acting
from composer.engine.watching.definition import Definition, as_sent, read
from composer.engine.watching.files import Files
from composer.engine.watching.manifest import Manifest
from composer.engine.watching.pending import Pending
from composer.engine.watching.redefining import Redefining
from composer.engine.watching.service import ServiceWatch
from composer.engine.watching.sight import Found, Identity, Seen, Sight
from composer.engine.watching.telling import Telling
from composer.engine.watching.tools import Tools
from composer.errors import ComposerError, EngineError, ProjectError
from composer.unbroken import ended, unbroken
from composer.watch.changes import Changes, open_changes
from composer.watch.rules import merged
from composer.watch.settle import Batch
from composer.watch.tree import Entry, Problem

log = logging.getLogger("composer.engine")


class Session:
    """The watch over one project, from `start` to `stop`."""

    def __init__(self, name: str, request: WatchRequest, tools: Tools, *, resumed: bool = False) -> None:
        """`resumed` is one that an engine before this one had: what changed meanwhile is to be dealt with."""
        self.name = name
        self.request = request
        self.detached = request.detach
        self.telling = Telling(name, tools.rooms.clock.now)
        self.error: ComposerError | None = None
        """Why it ended by itself."""
        self._tools = tools
        self._resumed = resumed
        self._acting: Acting | None = None
        self._services: dict[str, ServiceWatch] = {}
        self._former: dict[str, tuple[int, Pending]] = {}
        """What services under former rules had brought in, and what they held for containers that start again."""
        self._seen: dict[Identity, Seen] | None = None
        """What the last sight saw, None before the first."""
        self._since = tools.rooms.clock.now()
        self._changes: Changes | None = None
        self._ready = asyncio.Event()
        self._asked = asyncio.Event()
        self._is_asked_anew = False
        self._is_unapplied = False
        """Whether the project says something that has not been made so."""
        self._is_behind = True
        """Whether what was to be built while nobody watched may not have been."""
        self._looks: list[asyncio.Future[None]] = []
        """Who waits for another look at everything."""
        self._task: asyncio.Task[None] | None = None

    # -- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run())

    def ask(self, request: WatchRequest) -> None:
        """Watch by another request from now on; nothing that happens meanwhile is lost."""
        self.request = request
        self._is_asked_anew = True
        self._ready.clear()
        self._asked.set()

    async def ready(self) -> None:
        """Return when every container is in sync for the first time. Raises what ended the watch before."""
        await self._ready.wait()
        if self.error is not None:
            raise self.error
        for service in list(self._services.values()):
            await service.settled()

    async def stop(self, why: str = "") -> None:
        """End; what is under way is finished."""
        if self._task is not None and not self._task.done():
            if why:
                self.telling.say("ended", why)
            self._task.cancel()
            await ended(self._task)

    async def verify(self) -> tuple[str, ...]:
        """Where containers differ from what is on disk, by content, once everything is done."""
        await self.ready()
        found: list[Problem] = []
        for service in list(self._services.values()):
            await service.settled()
            found += await service.verify()
        return tuple(f"{problem.path} {problem.why}" for problem in found)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._task is not None and self._task.done()

    def status(self) -> WatchStatus:
        """How it stands."""
        return WatchStatus(
            project=self.name,
            detached=self.detached,
            since=self._since,
            note=self._changes.note if self._changes is not None else "",
            services=tuple(
                WatchedService(
                    service=service.name,
                    in_sync=service.in_sync,
                    files=service.selected,
                    brought=service.brought,
                    lag=service.lag,
                )
                for service in self._services.values()
            ),
            events=tuple(event for _, event in self.telling.events),
            times=tuple(time for time, _ in self.telling.events),
        )

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            acting = self._acting = await self._first()
            while True:
                await self._watch(acting)
        except ComposerError as error:
            self.error = error  # whoever listens is told by that
            log.warning("the watch over %s has ended: %s", self.name, error.message)
        except Exception as error:
            log.exception("watching %s", self.name)
            hint = "`compose engine logs` has the traceback; please report it"
            self.error = EngineError(f"the watch has ended, the engine made a mistake: {error!r}", hint=hint)
        finally:
            listening.cancel()
            self._ready.set()
            for looked in self._looks:
                looked.cancel()
            await self._close_services()
            self.telling.end()

    async def _first(self) -> Acting:
        request = self.request
        try:
            definition = await asyncio.to_thread(read, self.name, request)
        except ProjectError:  # the client has read it a moment ago: with that it begins
            definition = await asyncio.to_thread(as_sent, request)
        return Acting(self.name, self._tools, self.telling.emit, request, definition)

    async def _watch(self, acting: Acting) -> None:
        """Watch until the rules are to be read anew."""
        definition = acting.definition
        manifest = Manifest(self._tools.ledger, self.name, definition.rules.rules)
        known: Mapping[Identity, Mapping[str, Entry]]
        if self._seen is None:
            known = await asyncio.to_thread(manifest.entries)
            seen = manifest.seen(known) if self._resumed else {}
        else:
            seen = self._seen
            known = {identity: each.entries for identity, each in seen.items()}
        sight = Sight(definition, seen, known)
        changes = await open_changes(sight.areas)
        try:
            found = await asyncio.to_thread(sight.begin)
            if await self._is_outdated(acting, sight, found):
                return
            await self._begin(acting, manifest, sight, changes, found)
            await unbroken(manifest.begin, sight.watched, known, found.changed)
            del known
            # Beside the turns: to build may take its time, and what is saved meanwhile is to arrive.
            redefining = Redefining(lambda apply: self._redefine(acting, sight, apply))
            if self._is_unapplied or self._is_behind:
                redefining.begin(apply=self._is_unapplied)
            else:
                self._be_ready()
            try:
                while not await self._turn(acting, sight, changes, redefining):
                    pass
            finally:
                await redefining.close()
            self._ready.clear()
            for service in self._services.values():  # what is under way follows the rules that it began with
                await service.settled()
        finally:
            changes.close()
            await self._close_services()
        self._seen = sight.seen()

    async def _begin(self, acting: Acting, manifest: Manifest, sight: Sight, changes: Changes, found: Found) -> None:
        rules = acting.definition.rules
        self.telling.warn((*rules.warnings, changes.note))
        self._changes = changes
        deeds, tools = acting.deeds(manifest, changes.again), self._tools
        for name in dict.fromkeys(rule.service for rule in rules.rules):
            watched = [(rule, tree) for rule, tree in sight.watched if rule.service == name]
            files = Files(self.name, name, watched, tools.rooms, tools.confinement, tools.ledger)
            service = ServiceWatch(name, watched, files, deeds, self.telling.emit, rules.reloads.get(name))
            service.brought, service.held = self._former.pop(name, (0, service.held))
            self._services[name] = service
            service.start()
        self._pass_on(found, tools.rooms.clock.monotonic())
        count = sum(service.selected for service in self._services.values())
        words = "1 file" if count == 1 else f"{count} files"
        self.telling.say("watching", f"{words} of {', '.join(self._services)}")

    async def _turn(self, acting: Acting, sight: Sight, changes: Changes, redefining: Redefining) -> bool:
        """Wait for a batch and deal with it; whether the rules are others now."""
        clock = self._tools.rooms.clock
        batch = await self._next(changes, redefining)
        if redefining.is_done:
            await redefining.finish()
            return True
        looks, self._looks = (self._looks, []) if batch is None else ([], self._looks)
        if batch is None:
            self._asked.clear()
            batch = Batch(everything=True, since=clock.monotonic())
        began = clock.monotonic()
        found = await asyncio.to_thread(sight.look, batch)
        changes.pace(clock.monotonic() - began)
        self._pass_on(found, batch.since)
        for looked in looks:
            if not looked.done():  # whoever asked may have left
                looked.set_result(None)
        if self._is_asked_anew:
            await redefining.finish()
            self._is_asked_anew = False
            acting.request = self.request
            acting.definition = await self._read() or acting.definition
            return True
        is_outdated = self._is_behind and merged(rule for rule, _ in found.changed).rebuild
        if found.redefined or found.ignoring or is_outdated:  # what is being built for older files is given up
            redefining.begin(apply=found.redefined)
        return False

    async def _next(self, changes: Changes, redefining: Redefining) -> Batch | None:
        """The next batch, None when there is something else to do."""
        tasks = [asyncio.ensure_future(each) for each in (self._asked.wait(), redefining.done())]
        coming = asyncio.ensure_future(changes.next())
        try:
            await asyncio.wait((coming, *tasks), return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else None
        finally:
            for task in (coming, *tasks):
                task.cancel()

    def _pass_on(self, found: Found, since: float) -> None:
        for rule, change in found.changed:
            self._services[rule.service].changed(rule, change, since)
        for problem in found.problems:
            self.telling.say("error", f"cannot read `{problem.path}`: {problem.why}")

    async def _listen(self) -> None:
        """Have containers caught up that start."""
        subscription = self._tools.rooms.bus.subscribe(self.name)
        try:
            while True:
                try:
                    async for event in subscription:
                        if event.action == "start" and not event.one_off and event.service in self._services:
                            self._services[event.service].started(event.container)
                    return
                except EngineError:  # so many events that some were dropped
                    for service in self._services.values():
                        service.catch_up()
        finally:
            subscription.close()

    # -- the project -------------------------------------------------------------------------------------------------

    async def _is_outdated(self, acting: Acting, sight: Sight, found: Found) -> bool:
        """Whether what is watched by was no longer what the files say when listening began; then it is from now on."""
        if not (found.redefined or found.ignoring or sight.is_partly_new):
            return False
        definition = await self._read()
        if definition is None:
            return False
        acting.definition = definition
        is_changed = not definition.is_as(sight.definition)
        self._is_unapplied |= found.redefined or is_changed
        return is_changed or (found.ignoring and sight.is_ignoring_otherwise())

    async def _redefine(self, acting: Acting, sight: Sight, apply: bool) -> bool:
        """Go by what the files say now, and with `apply` make it so; False where the rules are what they were.

        Then what was missed is built: not by rules that are to be read anew.
        """
        unbuilt: list[ServiceWatch] = []
        if (definition := await self._read()) is not None:
            if apply:
                if await acting.apply(definition):  # what could not be built before may be built by what is said now
                    unbuilt = [service for service in self._services.values() if not service.is_built]
                self._is_unapplied = False
            acting.definition = definition
            if not definition.is_as(sight.definition) or sight.is_ignoring_otherwise():
                return True
        if self._is_behind or unbuilt:
            is_built = await acting.build_what_was_missed()
            self._is_behind = False
            for service in unbuilt:
                service.is_built |= is_built
        self._be_ready()
        return False

    def _be_ready(self) -> None:
        """Everything is in sync by the rules there are, unless there is a request for others."""
        if not self._is_asked_anew:
            self._ready.set()

    async def _read(self) -> Definition | None:
        """What the files say now; None, and told, when they cannot be read."""
        try:
            return await asyncio.to_thread(read, self.name, self.request)
        except ComposerError as error:
            self.telling.fail(error)
        return None

    async def _close_services(self) -> None:
        services, self._services = self._services, {}
        for service in services.values():
            await service.close()
            self._is_behind |= not service.is_built
            self._former[service.name] = service.brought, service.held
