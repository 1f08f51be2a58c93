"""What clients ask of the engine: one method for each request of `api.messages`; `turns` says in which order."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from composer import __version__
from composer.api.messages import (
    BuildPruneRequest,
    BuildRequest,
    ContainerEvent,
    ContainerSummary,
    DiskUsage,
    DownRequest,
    EngineStatus,
    Event,
    ExecRequest,
    ImagesRequest,
    LintFinding,
    LogEntry,
    ProjectSummary,
    PruneRequest,
    PruneResult,
    PullRequest,
    PushRequest,
    Result,
    RunRequest,
    ServicesRequest,
    UpOptions,
    UpRequest,
)
from composer.build.housekeeping import Housekeeping
from composer.engine import teardown
from composer.engine.acquire import acquire_anew, known_after, made_by, publish, unknown_image
from composer.engine.building.builds import buildables, every
from composer.engine.building.describe import Errand, left_out
from composer.engine.building.making import Making
from composer.engine.building.telling import without_steps
from composer.engine.configure import Image, image_reference
from composer.engine.containers import Containers
from composer.engine.contents import read_contents
from composer.engine.execute import execute
from composer.engine.inventory import disk_usage
from composer.engine.labels import PROJECT
from composer.engine.logs import Logs
from composer.engine.loop import Loop
from composer.engine.machine import Machine, observe
from composer.engine.pictures import Pictures
from composer.engine.plan import (
    BuildImage,
    Node,
    Plan,
    PullImage,
    PushImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from composer.engine.processes import Processes
from composer.engine.provision import Provision
from composer.engine.reconcile import reconcile
from composer.engine.records import ContainerRecord, ProjectRecord
from composer.engine.resolve import resolve, resolve_one_off
from composer.engine.rooms import Rooms
from composer.engine.scope import dependencies, services_in_scope
from composer.engine.sessions import AttachSession, DetachedSession, ProcessSession
from composer.engine.software import Software
from composer.engine.summaries import container_summary, project_summary
from composer.engine.transfers import Transfers, untold
from composer.engine.turns import Turns
from composer.engine.watching.watching import Watching
from composer.engine.world import Desired, State
from composer.errors import ContainerError, EngineError, UsageError
from composer.lock.pins import Pins
from composer.project.model import Project
from composer.project.origins import Origins
from composer.runtime import signals

Emit = Callable[[Event], None]


class Requests:
    """Answers requests; `server.app` is its only caller."""

    def __init__(
        self,
        rooms: Rooms,
        containers: Containers,
        loop: Loop,
        processes: Processes,
        logs: Logs,
        pictures: Pictures,
        transfers: Transfers,
        making: Making,
        keeping_house: Callable[[], Housekeeping],
    ) -> None:
        self._keeping_house = keeping_house
        self._transfers = transfers
        self._making = making
        self._provision = Provision(pictures, making, rooms.clock)
        self._rooms = rooms
        self._containers = containers
        self._loop = loop
        self._processes = processes
        self._logs = logs
        self._pictures = pictures
        self.software = Software(rooms, pictures)
        self._turns = Turns()
        self._since = time.monotonic()
        logs.at_work = self._turns.at_work
        self.stopping = False
        self.watching: Watching
        """The watches over projects; they use our `up`, so they come after us."""

    # -- a project's life ----------------------------------------------------------------------------------------

    async def up(self, name: str, request: UpRequest, emit: Emit) -> Result:
        """Bring a project to what its file says; see `reconcile`."""
        project = Project.model_validate(request.project)
        origins = Origins.from_wire(request.origins)
        async with self._turns.take(name, emit):
            pins = Pins.from_wire(request.lock)
            images, first = await self._images(project, request.options, origins, request.surroundings, emit, pins)
            scope = services_in_scope(project, request.options.services, deps=not request.options.no_deps)
            contents = await asyncio.to_thread(read_contents, project, scope)
            desired = resolve(project, images, request.options, contents)
            desired = replace(desired, generations=self._rooms.store.generations_of(name))
            plan = reconcile(desired, observe(self._rooms, name), request.options, _locate(origins))
            self._remember(project)
            if request.options.dry_run:
                return await self._carry_out(name, known_after(first, plan), emit, dry_run=True)
            _tell_untouched(desired, plan, emit)
            told = len(self._rooms.notes)
            done = await self._carry_out(name, plan, emit)
            for note in self._rooms.notes[told:]:
                emit(Event("project", name, "warning", detail=note))
            return replace(done, changed=done.changed + len(first.nodes))

    async def pull(self, name: str, request: PullRequest, emit: Emit) -> Result:
        """Pull the images of a project's services; nothing else of the project changes."""
        project = Project.model_validate(request.project)
        services = services_in_scope(project, request.services, deps=request.include_deps)
        pins = Pins.from_wire(request.lock)
        plan = acquire_anew(
            services,
            await self._pictures.found(project, services, pins),
            policy=request.policy,
            ignore_buildable=request.ignore_buildable,
            ignore_failures=request.ignore_failures,
            now=self._rooms.clock.now(),
            locate=_locate(Origins.from_wire(request.origins)),
            pins=pins,
        )
        if request.dry_run:
            return Result(plan=str(plan))
        return await self._transfer(name, plan, request.surroundings, emit)

    async def build(self, name: str, request: BuildRequest, emit: Emit) -> Result:
        """Build the images of a project's services; nothing else of the project changes."""
        project = Project.model_validate(request.project)
        pins = Pins.from_wire(request.lock)
        errand = Errand(project, Origins.from_wire(request.origins), request.flags, request.surroundings, pins)
        services = services_in_scope(project, request.services, deps=request.with_dependencies)
        wanted = buildables(project, services)
        plan = every(wanted, "asked for")
        pushes = publish(services, ignore_failures=False) if request.push else Plan()
        if request.dry_run:
            return Result(plan=str(Plan((*plan, *pushes))))
        if not plan:
            detail = "there is nothing to build: none of these services has a `build` section"
            emit(Event("project", name, "warning", detail=detail))
        for each in wanted:
            for warning in left_out(each.operation(), errand):
                emit(Event("project", name, "warning", detail=warning))
        done = await self._transfer(name, plan, request.surroundings, emit, errand)
        if request.flags.verify:
            await self._making.verify([each.operation() for each in wanted], errand, emit)
        pushed = await self._transfer(name, pushes, request.surroundings, emit)
        return replace(done, changed=done.changed + pushed.changed)

    async def check(self, request: BuildRequest) -> tuple[LintFinding, ...]:
        """What BuildKit's rules have to say about the Dockerfiles of a project's services."""
        project = Project.model_validate(request.project)
        pins = Pins.from_wire(request.lock)
        errand = Errand(project, Origins.from_wire(request.origins), request.flags, request.surroundings, pins)
        services = services_in_scope(project, request.services, deps=request.with_dependencies)
        return await self._making.check([each.operation() for each in buildables(project, services)], errand)

    async def rebuild(self, request: UpRequest, service: str, emit: Emit) -> tuple[str, ...]:
        """Build a service's image again, and what that is built from; the services that run it, which go on as they are."""
        project = Project.model_validate(request.project)
        pins = Pins.from_wire(request.lock)
        errand = Errand(project, Origins.from_wire(request.origins), surroundings=request.surroundings, pins=pins)
        (mine,) = (each for each in buildables(project, project.services.values()) if service in each.services)
        wanted = buildables(project, [project.services[name] for name in mine.services])
        await self._transfer(project.name, every(wanted, "files changed"), request.surroundings, emit, errand)
        return mine.services

    async def prune_replaced(self, name: str) -> None:
        """Delete the images of a project that lost their names to newer ones, as far as nothing uses them."""
        await self._pictures.prune(PruneRequest(labels=(f"{PROJECT}={name}",)))

    async def push(self, name: str, request: PushRequest, emit: Emit) -> Result:
        """Push the images that a project builds."""
        project = Project.model_validate(request.project)
        services = services_in_scope(project, request.services, deps=request.include_deps)
        plan = publish(services, ignore_failures=request.ignore_failures)
        if request.dry_run:
            return Result(plan=str(plan))
        if not plan:
            detail = "there is nothing to push: only images that services `build` and name with `image` are"
            emit(Event("project", name, "warning", detail=detail))
        return await self._transfer(name, plan, request.surroundings, emit)

    async def down(self, name: str, request: DownRequest, emit: Emit) -> Result:
        """Stop and remove a project's containers and networks, with `volumes` its volumes too."""
        await self._turns.interrupt(name)
        project = Project.model_validate(request.project) if request.project else None
        async with self._turns.take(name, emit):
            known = frozenset({*project.services, *project.disabled}) if project else None
            plan = teardown.down(observe(self._rooms, name), name, request, known)
            result = await self._carry_out(name, plan, emit, dry_run=request.dry_run)
            if not request.dry_run and not self._rooms.store.containers_of(name):
                self._rooms.store.projects.remove(name)
            return result

    async def services(self, verb: str, name: str, request: ServicesRequest, emit: Emit) -> Result:
        """`stop`, `start`, `restart`, `kill` or `rm` of services."""
        if verb == "kill":
            return self._kill(name, request, emit)
        if verb in ("stop", "rm"):
            await self._turns.interrupt(name)
        async with self._turns.take(name, emit):
            plan = teardown.verb(verb, observe(self._rooms, name), request)
            return await self._carry_out(name, plan, emit, dry_run=request.dry_run)

    async def run(self, name: str, request: RunRequest, emit: Emit) -> Result:
        """Create a one-off container of a service, its dependencies running; `attach` starts it."""
        project = Project.model_validate(request.project)
        origins = Origins.from_wire(request.origins)
        options = UpOptions(
            services=(request.service,),
            no_deps=request.no_deps,
            remove_orphans=request.remove_orphans,
            pull=request.pull,
            build=request.build,
            quiet_pull=request.quiet_pull,
            quiet_build=request.quiet_build,
        )
        async with self._turns.take(name, emit):
            pins = Pins.from_wire(request.lock)
            images, first = await self._images(project, options, origins, request.surroundings, emit, pins)
            changed = len(first.nodes)
            scope = services_in_scope(project, options.services, deps=not options.no_deps)
            contents = await asyncio.to_thread(read_contents, project, scope)
            if dependencies := one_off_dependencies(project, request):
                needed = replace(options, services=dependencies, no_deps=False)
                desired = resolve(project, images, needed, contents)
                plan = reconcile(desired, observe(self._rooms, name), needed, _locate(origins))
                changed += (await self._carry_out(name, plan, emit)).changed
            one_off = resolve_one_off(project, images, request, secrets.token_hex(6), contents)
            plan = reconcile(one_off, observe(self._rooms, name), UpOptions(), _locate(origins))
            self._remember(project)
            await self._carry_out(name, _without_start(plan), emit)
        container = self._container_named(one_off.containers[0].name)
        if request.remove:
            self._rooms.store.containers.put(container.id, replace(container, remove_on_exit=True))
        return Result(changed=changed + 1, container=container.id)

    # -- looking ---------------------------------------------------------------------------------------------------

    def projects(self) -> tuple[ProjectSummary, ...]:
        """Every project that has containers."""
        names = sorted({record.project for record in self._rooms.store.containers})
        return tuple(
            project_summary(name, self._rooms.store.containers_of(name), self._rooms.store.projects.get(name))
            for name in names
        )

    def containers(self, name: str, every: bool) -> tuple[ContainerSummary, ...]:
        """The project's containers: those that run (or restart), or all."""
        return tuple(
            container_summary(record)
            for record in self._rooms.store.containers_of(name)
            if every or record.state in (State.RUNNING, State.RESTARTING)
        )

    def logs(
        self,
        name: str,
        *,
        services: tuple[str, ...] = (),
        tail: int | None = None,
        since: float = 0.0,
        until: float | None = None,
        follow: bool = False,
    ) -> AsyncIterator[LogEntry]:
        """What the project's containers wrote; with `follow` also what they and their successors go on to write."""
        return self._logs.of(name, services=services, tail=tail, since=since, until=until, follow=follow)

    async def events(self, name: str) -> AsyncIterator[ContainerEvent]:
        """What happens to the project's containers from now on."""
        subscription = self._rooms.bus.subscribe(name)
        try:
            async for happened in subscription:
                yield happened
        finally:
            subscription.close()

    async def wait(self, container: str) -> int:
        """The exit status of a container, once it has one that its restart policy leaves at that."""

        def over() -> bool:
            record = self._rooms.store.containers.get(container)
            return record is None or record.state is State.EXITED

        self._container(container)
        await self._rooms.bus.until(over)
        record = self._rooms.store.containers.get(container)
        # A one-off of `run --rm` may be removed before we look: the loop remembers how it ended.
        return record.exit_code if record is not None else self._loop.exit_codes.get(container, 0)

    async def status(self) -> EngineStatus:
        """The processes behind the commands."""
        rooms = self._rooms
        pids = await (await rooms.keeping.ready()).status()
        return EngineStatus(
            version=__version__,
            socket=str(rooms.paths.engine_socket),
            data=str(rooms.paths.data),
            uptime=time.monotonic() - self._since,
            engine=os.getpid(),
            keeper=int(pids["keeper"]),
            data_plane=int(pids["dataplane"]),
            pump=int(pids["pump"]),
            projects=len({record.project for record in rooms.store.containers}),
            containers=len(rooms.store.containers),
            running=sum(record.state is State.RUNNING for record in rooms.store.containers),
            rootless=rooms.facts.rootless,
            notes=tuple(rooms.notes),
        )

    # -- single containers ----------------------------------------------------------------------------------------

    async def exec(self, name: str, request: ExecRequest) -> ProcessSession | DetachedSession:
        """A session with a process in a service's container; one that is over at once where it was detached.

        Raises:
            UsageError: the service has no running container of this index.
        """
        replicas = [
            record
            for record in self._rooms.store.containers_of(name)
            if record.service == request.service and record.state is State.RUNNING and not record.one_off
        ]
        chosen = [record for record in replicas if request.index in (0, record.number)]
        if not chosen:
            which = f"container {request.index} of service" if request.index else "service"
            raise UsageError(
                f"{which} `{request.service}` is not running", hint=f"`compose up -d {request.service}` starts it"
            )
        if request.detach:
            await self._processes.detached(chosen[0], request)
            return DetachedSession()
        return await self._processes.exec(chosen[0], request)

    async def attach(self, container: str, *, start: bool, stdin: bool, logs: bool) -> AttachSession:
        """A session with a container's own streams; with `start` it is started once the client listens."""
        record = self._container(container)

        async def begin() -> None:
            await self._loop.start(record.name)

        def descriptor(kind: str) -> int:
            held = self._rooms.keeping.held(f"{kind}/{record.id}")
            return os.dup(held.fds[0]) if held else -1

        def end_of_input() -> None:
            # As Docker has it: the input of a one-off ends with its client's, that of a service stays for the next one.
            if record.one_off and not record.config.tty:
                self._rooms.background.append(asyncio.create_task(self._rooms.keeping.drop(f"stdin/{record.id}")))

        return AttachSession(
            self._logs.raw(record, past=logs and not start),
            lambda: self.wait(record.id),
            start=begin if start else None,
            stdin=lambda: descriptor("pty" if record.config.tty else "stdin") if stdin else -1,
            terminal=lambda: descriptor("pty"),
            signal=lambda signal: self._containers.signal(record.id, signal),
            on_end=end_of_input,
        )

    async def remove_container(self, container: str, *, force: bool, volumes: bool) -> Result:
        """Remove a single container, stopping it first with `force`; one that is gone is fine."""
        record = self._rooms.store.containers.get(container)
        if record is None:
            return Result()
        if force:
            await self._containers.stop(StopContainer(record.id, record.name, record.service, 0.0))
        await self._containers.remove(RemoveContainer(record.id, record.name, record.service, volumes))
        return Result(changed=1)

    # -- images ------------------------------------------------------------------------------------------------------

    @property
    def pictures(self) -> Pictures:
        """What can be asked about images."""
        return self._pictures

    async def disk_usage(self) -> tuple[DiskUsage, ...]:
        """What images, containers, volumes, logs and the build cache take on the disk."""
        return await disk_usage(self._rooms, self._keeping_house())

    async def prune_build_cache(self, request: BuildPruneRequest) -> PruneResult:
        """Forget cached steps, once no build runs."""
        house = self._keeping_house()
        freed = await asyncio.to_thread(lambda: house.prune(mounts=request.mounts, used_before=request.used_before))
        return PruneResult(reclaimed=freed)

    async def pull_images(self, request: ImagesRequest, emit: Emit) -> Result:
        """Pull images by reference."""
        pulls = (PullImage(reference, request.platform) for reference in dict.fromkeys(request.references))
        nodes = (Node(f"pull/{pull.reference}", pull, "asked for") for pull in pulls)
        return await self._transfer("", Plan(tuple(nodes)), request.surroundings, emit)

    async def push_images(self, request: ImagesRequest, emit: Emit) -> Result:
        """Push images by reference."""
        pushes = (PushImage(reference) for reference in dict.fromkeys(request.references))
        nodes = (Node(f"push/{push.reference}", push, "asked for") for push in pushes)
        return await self._transfer("", Plan(tuple(nodes)), request.surroundings, emit)

    async def save_images(self, references: tuple[str, ...], path: str, surroundings: Mapping[str, str]) -> None:
        """Write images to an archive at `path`; blobs that were dropped come from their registries again."""
        await self._transfers.complete(references, surroundings, lambda _: None)
        await self._pictures.save(references, path)

    async def _transfer(
        self, name: str, plan: Plan, surroundings: Mapping[str, str], emit: Emit, errand: Errand | None = None
    ) -> Result:
        machine = self._machine(name, emit, surroundings, errand)
        return Result(changed=await execute(plan, machine, emit, self._rooms.clock))

    # -- the end ------------------------------------------------------------------------------------------------------

    async def stop_everything(self, force: bool, emit: Emit) -> Result:
        """Make ready to end. Raises EngineError while containers run, unless `force` is there to stop them."""
        running = [
            record for record in self._rooms.store.containers if record.state in (State.RUNNING, State.RESTARTING)
        ]
        if running and not force:
            projects = sorted({record.project for record in running})
            raise EngineError(
                f"cannot stop the engine: {len(running)} container(s) run in {', '.join(f'`{one}`' for one in projects)}",
                hint=f"`compose -p {projects[0]} down` first, or `compose engine stop --force`",
            )
        changed = 0
        for project in sorted({record.project for record in running}):
            changed += (await self.services("stop", project, ServicesRequest(), emit)).changed
        self.stopping = True
        return Result(changed=changed)

    def busy(self) -> bool:
        """Whether any container runs or is about to."""
        states = {record.state for record in self._rooms.store.containers}
        return bool(states & {State.RUNNING, State.RESTARTING})

    # -- how it is done -------------------------------------------------------------------------------------------

    async def _images(
        self,
        project: Project,
        options: UpOptions,
        origins: Origins,
        surroundings: Mapping[str, str],
        emit: Emit,
        pins: Pins,
    ) -> tuple[Mapping[str, Image], Plan]:
        """The images of the services in scope, by reference, and the pulls and builds that it took.

        In a dry run nothing is pulled or built, and something stands for what is not known yet.

        Raises:
            ProjectError: images are missing, and may not or cannot be had.
            BuildError: one could not be built.
            RegistryError: a registry did not give one.
        """
        services = services_in_scope(project, options.services, deps=not options.no_deps)
        errand = Errand(project, origins, surroundings=surroundings, pins=pins)
        first = await self._provision.plan(services, options, errand, _locate(origins))
        if options.dry_run:
            made = made_by(first)
            rest = [service for service in services if image_reference(project, service) not in made]
            known = await self._pictures.of(project, rest, origins, pins)
            return {**dict.fromkeys(made, unknown_image()), **known}, first
        if first:
            told = untold(emit) if options.quiet_pull else emit
            told = without_steps(told) if options.quiet_build else told
            await self._carry_out(project.name, first, told, surroundings=surroundings, errand=errand)
        return await self._pictures.of(project, services, origins, pins), first

    def _machine(self, name: str, emit: Emit, surroundings: Mapping[str, str], errand: Errand | None = None) -> Machine:
        async def transfer(operation: PullImage | BuildImage | PushImage) -> None:
            if isinstance(operation, BuildImage):
                assert errand is not None, "a build without a project"
                await self._making.perform(operation, errand, emit)
            else:
                await self._transfers.perform(operation, surroundings, emit)

        return Machine(name, self._rooms, self._containers, self._loop, self._logs.last, transfer)

    async def _carry_out(
        self,
        name: str,
        plan: Plan,
        emit: Emit,
        *,
        dry_run: bool = False,
        surroundings: Mapping[str, str] = MappingProxyType({}),
        errand: Errand | None = None,
    ) -> Result:
        for warning in plan.warnings:
            emit(Event("project", name, "warning", detail=warning))
        if dry_run:
            return Result(plan=str(plan))
        machine = self._machine(name, emit, surroundings, errand)
        with self._turns.working(name):
            return Result(changed=await execute(plan, machine, emit, self._rooms.clock))

    def _kill(self, name: str, request: ServicesRequest, emit: Emit) -> Result:
        """Signal at once: not even a `stop` that waits out a grace period is waited for."""
        self._turns.end(name)
        killed = 0
        for record in self._rooms.store.containers_of(name):
            if record.state is State.RUNNING and (not request.services or record.service in request.services):
                number = signals.number(request.signal)
                if number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                    # What is meant to end it is an explicit stop: its restart policy shall not bring it back.
                    self._rooms.store.containers.put(record.id, replace(record, wanted=False))
                self._containers.signal(record.id, request.signal)
                emit(Event("container", record.name, "killed", service=record.service))
                killed += 1
        return Result(changed=killed)

    def _remember(self, project: Project) -> None:
        record = ProjectRecord(project.name, project.working_dir, project.compose_files)
        if self._rooms.store.projects.get(project.name) != record:
            self._rooms.store.projects.put(project.name, record)

    def _container(self, container: str) -> ContainerRecord:
        record = self._rooms.store.containers.get(container)
        if record is None:
            raise UsageError(f"there is no container `{container[:12]}`")
        return record

    def _container_named(self, name: str) -> ContainerRecord:
        record = self._rooms.store.container_named(name)
        if record is None:
            raise ContainerError(f"container `{name}` was removed meanwhile")
        return record


def _tell_untouched(desired: Desired, plan: Plan, emit: Emit) -> None:
    """Say which containers are as they should be: of these the plan has nothing to tell."""
    touched = {node.id.rpartition("/")[2] for node in plan}
    for container in desired.containers:
        if container.name not in touched:
            emit(Event("container", container.name, "running", service=container.service))


def one_off_dependencies(project: Project, request: RunRequest) -> tuple[str, ...]:
    """The services that a one-off needs up first."""
    if request.no_deps:
        return ()
    service = {**project.services, **project.disabled}.get(request.service)
    return tuple(dependencies(service)) if service else ()


def _without_start(plan: Plan) -> Plan:
    """The plan of a one-off but for its start, which `attach` does when the client listens."""
    return Plan(tuple(node for node in plan if not isinstance(node.operation, StartContainer)), plan.warnings)


def _locate(origins: Origins) -> Callable[[tuple[str, ...]], str]:
    """Where a path of the project was written, in the words of a cause."""

    def locate(path: tuple[str, ...]) -> str:
        place = origins.near(path)
        return f"{Path(place.file).name}:{place.line}" if place else ""

    return locate
