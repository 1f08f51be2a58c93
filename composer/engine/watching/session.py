"""One project under watch: listens to its files, looks at what changed, and tells the services that it concerns.

    read the project ─▶ rules ─▶ listen, then look at everything, then catch the containers up ─▶ batches, for ever
           ▲                                                                                         │
           └──────────────────── a Compose file, an env file, an ignore file changed ◀───────────────┘

Listening begins before looking, so nothing falls between. The project is read here, not by a client: with the options and the
variables that its request carried. A project that cannot be read is told and the last one that could goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from composer.api.messages import Event, Result, UpOptions, UpRequest, WatchedService, WatchRequest, WatchStatus
from composer.engine.confinement import Confinement
from composer.engine.processes import Processes
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.watching.files import Files
from composer.engine.watching.reload import Reload, post
from composer.engine.watching.rules import Rules, defining_files, rules_of
from composer.engine.watching.service import Deeds, ServiceWatch
from composer.engine.world import Generation
from composer.errors import ComposerError, ContainerError, ProjectError
from composer.kernel import process
from composer.lock.file import lock_path
from composer.lock.pins import pins_beside
from composer.project import LoadOptions, load
from composer.project.model import Project, Service
from composer.project.origins import Origins
from composer.project.reading import recorded
from composer.runtime import signals
from composer.watch.changes import Changes, Polling, WatchLimitError, open_changes
from composer.watch.ledger import Ledger
from composer.watch.rules import Rule
from composer.watch.selection import Selection
from composer.watch.settle import Batch
from composer.watch.tree import Entry, Problem, Tree

_REMEMBERED = 20
"""How many events `--status` shows."""
_DEFINING = (".gitignore", ".dockerignore")


Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """What sessions work with."""

    rooms: Rooms
    confinement: Confinement
    processes: Processes
    ledger: Ledger
    up: Callable[[str, UpRequest, Emit], Awaitable[Result]]
    """The engine's `up`."""
    signal: Callable[[str, str], None]
    """Send a signal, by name, to a container, by id."""
    rebuild: Callable[[UpRequest, str, Emit], Awaitable[tuple[str, ...]]]
    """Builds a service's image again; the services that run it."""
    prune: Callable[[str], Awaitable[object]]
    """Deletes the images of a project that have no name any more and that nothing uses."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project as the engine read it, and every file it was read from."""

    project: Project
    origins: Origins
    files: tuple[str, ...]
    lock: dict[str, Any]
    """What its lock pins."""

    def request(self, options: UpOptions, surroundings: dict[str, str]) -> UpRequest:
        """The `up` of it."""
        project, origins = self.project.model_dump(mode="json"), self.origins.to_wire()
        return UpRequest(project, origins, options, surroundings, self.lock)


class Session:
    """The watch over one project, from `start` to `stop`."""

    def __init__(self, name: str, request: WatchRequest, tools: Tools) -> None:
        self.name = name
        self.request = request
        self.detached = request.detach
        self.events: deque[tuple[float, Event]] = deque(maxlen=_REMEMBERED)
        self.listeners: set[asyncio.Queue[Event | None]] = set()
        self.error: ComposerError | None = None
        """Why it ended by itself."""
        self._tools = tools
        up = request.up
        self._loaded = Loaded(Project.model_validate(up.project), Origins.from_wire(up.origins), (), up.lock)
        self._services: dict[str, ServiceWatch] = {}
        self._known: dict[tuple[str, ...], dict[str, Entry]] = {}
        """What was seen by each rule and of each defining file: what has changed while the rules are read anew is a change
        like any other."""
        self._since = tools.rooms.clock.now()
        self._note = ""
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run())

    async def ready(self) -> None:
        """Return when every container is in sync for the first time. Raises what ended the watch before."""
        await self._ready.wait()
        if self.error is not None:
            raise self.error
        for service in self._services.values():
            await service.settled()

    async def stop(self) -> None:
        """End; what is under way is finished."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _finish(self) -> None:
        """End from within: the project was taken down."""
        if self._task is not None:
            self._task.cancel()

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
            note=self._note,
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
            events=tuple(event for _, event in self.events),
            times=tuple(time for time, _ in self.events),
        )

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            with contextlib.suppress(ProjectError):  # the client has read it a moment ago: with that it begins
                self._loaded = await asyncio.to_thread(self._load)
            while True:
                await self._watch()
        except ComposerError as error:
            self.error = error
            self._emit(Event("watch", self.name, "error", detail=error.message, hint=error.hint))
        finally:
            self._ready.set()
            await self._close_services()
            for queue in self.listeners:
                queue.put_nowait(None)

    async def _watch(self) -> None:
        """Watch until the rules are to be read anew."""
        rules = await asyncio.to_thread(
            rules_of, self._loaded.project, self.request.up.options.services, self._loaded.origins
        )
        for warning in rules.warnings:
            self._emit(Event("watch", self.name, "warning", detail=warning))
        known = self._known
        trees = [(rule, Tree(rule.selection, known.get(_identity(rule)))) for rule in rules.rules]
        paths = (*self._loaded.files, *defining_files(self._loaded.project))
        own = [Tree(Selection(path), known.get((path,))) for path in paths]
        areas = [rule.selection for rule in rules.rules] + [tree.selection for tree in own]
        changes = await open_changes(areas)
        listening = asyncio.create_task(self._listen())
        try:
            if changes.note and changes.note != self._note:
                self._emit(Event("watch", self.name, "warning", detail=changes.note))
            self._note = changes.note
            missed, defined_anew = await asyncio.to_thread(_look_at_everything, trees, own)
            self._make_services(rules, trees)
            for rule, changed in missed:
                if _identity(rule) in known:
                    self._services[rule.service].changed(rule, changed, self._tools.rooms.clock.monotonic())
            count = sum(service.selected for service in self._services.values())
            self._emit(Event("watch", self.name, "watching", detail=f"{count} files of {', '.join(self._services)}"))
            if not known:
                await self._build_what_was_missed()
            self._ready.set()
            if any((path,) in known for path in defined_anew) or (not known and await self._is_outdated()):
                await self._read_again()
                return
            while await self._turn(changes, trees, own):
                pass
            for service in self._services.values():  # what is under way follows the rules that it began with
                await service.settled()
        except WatchLimitError:
            return  # `open_changes` will find the other way
        finally:
            listening.cancel()
            changes.close()
            self._known = {_identity(rule): tree.entries for rule, tree in trees}
            self._known |= {(tree.selection.root,): tree.entries for tree in own}
            await self._close_services()

    async def _turn(self, changes: Changes, trees: Sequence[tuple[Rule, Tree]], own: Sequence[Tree]) -> bool:
        """Wait for a batch and deal with it; whether to go on with these rules."""
        batch = await changes.next()
        began = self._tools.rooms.clock.monotonic()
        found = await asyncio.to_thread(_look, batch, trees, own)
        if isinstance(changes, Polling):
            changes.pace(self._tools.rooms.clock.monotonic() - began)
        for rule, changed in found.changed:
            self._services[rule.service].changed(rule, changed, batch.since)
        for problem in found.problems:
            self._emit(Event("watch", self.name, "error", detail=f"cannot read `{problem.path}`: {problem.why}"))
        if found.project and not await self._read_again():
            return True
        return not (found.project or any(path.endswith(_DEFINING) for path in batch.paths))

    async def _listen(self) -> None:
        """Have containers caught up that start."""
        subscription = self._tools.rooms.bus.subscribe(self.name)
        try:
            async for event in subscription:
                if event.action == "start" and not event.one_off and event.service in self._services:
                    self._services[event.service].started(event.container)
                elif event.action == "destroy" and not self._tools.rooms.store.containers_of(self.name):
                    self._tools.rooms.store.watches.remove(self.name)
                    self._finish()
        finally:
            subscription.close()

    # -- the project ---------------------------------------------------------------------------------------------------

    def _load(self) -> Loaded:
        asked = self.request.load
        options = LoadOptions(
            files=asked.files,
            project_name=self.name,
            project_directory=asked.project_directory or None,
            profiles=asked.profiles,
            env_files=asked.env_files,
            directory=Path(asked.directory),
        )
        with recorded() as files:
            loaded = load(options, asked.variables)
        strict = bool(self.request.up.lock.get("strict"))
        pins = replace(pins_beside(loaded.project), strict=strict)
        names = (*files, lock_path(loaded.project))
        paths = tuple(dict.fromkeys(str(Path(path).resolve()) for path in names))
        return Loaded(loaded.project, loaded.origins, paths, pins.to_wire())

    async def _is_outdated(self) -> bool:
        """Whether the project has changed between its being read and its files being listened to."""
        try:
            return (await asyncio.to_thread(self._load)).project != self._loaded.project
        except ProjectError:
            return True

    async def _read_again(self) -> bool:
        """Read the project, show what its change means, and carry that out; False when it cannot be read."""
        began = self._tools.rooms.clock.monotonic()
        try:
            loaded = await asyncio.to_thread(self._load)
            rules_of(loaded.project, self.request.up.options.services, loaded.origins)
            options, surroundings = replace(self.request.up.options, build="definition"), self.request.up.surroundings
            preview = loaded.request(replace(options, dry_run=True), surroundings)
            plan = (await self._tools.up(self.name, preview, _quiet)).plan
            self._loaded = loaded
            if plan:
                self._emit(Event("watch", self.name, "plan", detail=plan))
                await self._tools.up(self.name, loaded.request(options, surroundings), self._only_problems)
        except ProjectError as error:
            for diagnostic in error.diagnostics:
                place = diagnostic.location
                where = f"{Path(place.file).name}:{place.line}: " if place else ""
                self._emit(
                    Event("watch", self.name, "error", detail=f"{where}{diagnostic.message}", hint=diagnostic.hint)
                )
            return False
        except ComposerError as error:
            self._emit(Event("watch", self.name, "error", detail=error.message, hint=error.hint))
            return False
        seconds = self._tools.rooms.clock.monotonic() - began
        self._emit(Event("watch", self.name, "applied", detail="" if plan else "nothing to do", seconds=seconds))
        return True

    # -- services -------------------------------------------------------------------------------------------------------

    def _make_services(self, rules: Rules, trees: Sequence[tuple[Rule, Tree]]) -> None:
        tools = self._tools
        deeds = Deeds(
            now=tools.rooms.clock.monotonic,
            intend=self._intend,
            restart=self._restart,
            rebuild=self._rebuild,
            run=tools.processes.run,
            reload=self._reload,
        )
        for name in dict.fromkeys(rule.service for rule in rules.rules):
            watched = [(rule, tree) for rule, tree in trees if rule.service == name]
            files = Files(self.name, name, watched, tools.rooms, tools.confinement, tools.ledger)
            self._services[name] = ServiceWatch(name, watched, files, deeds, self._emit, rules.reloads.get(name))
            self._services[name].start()

    async def _close_services(self) -> None:
        services, self._services = self._services, {}
        for service in services.values():
            await service.close()

    def _intend(self, service: str, cause: str) -> None:
        store = self._tools.rooms.store
        generation = Generation(store.generation(self.name, service) + 1, cause)
        store.generations.put(f"{self.name}/{service}", generation)

    async def _restart(self, service: str) -> bool:
        store = self._tools.rooms.store
        current = store.generation(self.name, service)
        records = [each for each in store.containers_of(self.name) if each.service == service and not each.one_off]
        if all(record.generation >= current for record in records):
            return False
        # To wait for the end of a program that does not hear the signal is of no use to anybody.
        deaf = all(
            not process.hears(record.pid, signals.number(record.config.stop_signal)) for record in records if record.pid
        )
        await self._up(service, timeout=0.0 if deaf else None)
        return True

    async def _reload(self, record: ContainerRecord, reload: Reload) -> None:
        if reload.signal:
            self._tools.signal(record.id, reload.signal)
            return
        port = next((port.host_port for port in record.ports if port.protocol == "tcp"), 0)
        if not port:
            raise ContainerError(
                f"cannot reload `{record.name}` at `{reload.http}`: it publishes no TCP port", hint="add `ports:`"
            )
        await asyncio.to_thread(post, port, reload.http)

    async def _rebuild(self, service: str, cause: str) -> None:
        self._emit(Event("watch", service, "rebuilding", cause, service=service))
        asked = self.request.up
        request = self._loaded.request(asked.options, asked.surroundings)
        await self._up(*await self._tools.rebuild(request, service, self._only_problems))
        if self.request.prune:
            await self._tools.prune(self.name)

    async def _build_what_was_missed(self) -> None:
        """Build again what has changed meanwhile, for services that are rebuilt when files change."""
        asked = self.request.up
        services = self._loaded.project.services
        wanted = asked.options.services or tuple(services)
        chosen = tuple(name for name in wanted if name in services and _is_rebuilt(services[name]))
        if not chosen:
            return
        options = replace(
            asked.options, services=chosen, no_deps=True, no_start=False, wait=False, scale={}, build="auto"
        )
        try:
            preview = self._loaded.request(replace(options, dry_run=True), asked.surroundings)
            plan = (await self._tools.up(self.name, preview, _quiet)).plan
            if any(line.startswith("build/") for line in plan.splitlines()):
                self._emit(Event("watch", self.name, "plan", detail=plan))
                await self._tools.up(self.name, self._loaded.request(options, asked.surroundings), self._only_problems)
        except ComposerError as error:
            self._emit(Event("watch", self.name, "error", detail=error.message, hint=error.hint))

    async def _up(self, *services: str, timeout: float | None = None) -> None:
        asked = self.request.up
        options = replace(
            asked.options,
            services=services,
            no_deps=True,
            no_start=False,
            wait=False,
            timeout=timeout,
            scale={},
            # What is in the containers is ours to say here; images are built when a rule says so.
            build="missing",
        )
        await self._tools.up(self.name, self._loaded.request(options, asked.surroundings), self._only_problems)

    # -- telling -----------------------------------------------------------------------------------------------------

    def _only_problems(self, event: Event) -> None:
        # That an image could not be built or pulled is told once, when the request that needed it ends.
        if event.status == "warning" or (event.status == "error" and event.resource != "image"):
            self._emit(event)

    def _emit(self, event: Event) -> None:
        self.events.append((self._tools.rooms.clock.now(), event))
        for queue in self.listeners:
            queue.put_nowait(event)


@dataclass(frozen=True, slots=True)
class _Found:
    changed: list[tuple[Rule, list[str]]]
    project: bool
    problems: list[Problem]


def _identity(rule: Rule) -> tuple[str, ...]:
    """What makes a rule the same one when the project was read again, whatever it ignores by then."""
    return rule.service, rule.action, rule.root, rule.target


def _look_at_everything(
    trees: Sequence[tuple[Rule, Tree]], own: Sequence[Tree]
) -> tuple[list[tuple[Rule, list[str]]], list[str]]:
    """What differs from what was known: each rule's files, and which defining files; in a thread."""
    defined_anew = [tree.selection.root for tree in own if tree.scan()]
    return [(rule, changed) for rule, tree in trees if (changed := tree.scan())], defined_anew


def _look(batch: Batch, trees: Sequence[tuple[Rule, Tree]], own: Sequence[Tree]) -> _Found:
    """What really changed; in a thread."""
    changed: list[tuple[Rule, list[str]]] = []
    problems: list[Problem] = []
    for rule, tree in trees:
        paths = tree.scan() if batch.everything else tree.look(batch.paths)
        if paths:
            changed.append((rule, paths))
        problems += tree.problems
    project = False
    for tree in own:
        paths = tree.scan() if batch.everything else tree.look(batch.paths)
        project = project or bool(paths)
    return _Found(changed, project, problems)


def _is_rebuilt(service: Service) -> bool:
    """Whether a rule says that the service is built again when files change."""
    return service.develop is not None and any(rule.action == "rebuild" for rule in service.develop.watch)


def _quiet(_event: Event) -> None:
    """Nobody is told."""
