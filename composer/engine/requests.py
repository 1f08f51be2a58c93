"""What clients ask of the engine: a method for each request that changes a project; `turns` says in which order.

`single` answers those that concern one container, `image_requests` images alone, `looking` those that change nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from composer.api.messages import (
    DownRequest,
    Event,
    Result,
    RunRequest,
    ServicesRequest,
    UpOptions,
    UpRequest,
)
from composer.engine import teardown
from composer.engine.acquire import known_after, made_by, unknown_image
from composer.engine.blame import placed
from composer.engine.building.errand import Errand
from composer.engine.carrying import Carrying, Emit, locate_in
from composer.engine.configure import Image, image_reference
from composer.engine.containers import Containers
from composer.engine.contents import read_contents
from composer.engine.image_requests import ImageRequests
from composer.engine.later import Later
from composer.engine.logs import Logs
from composer.engine.looking import Looking
from composer.engine.loop import Loop
from composer.engine.machine import observe
from composer.engine.pictures import Pictures
from composer.engine.plan import Plan, StartContainer
from composer.engine.processes import Processes
from composer.engine.provision import Provision
from composer.engine.quiet import untold, without_steps
from composer.engine.reconcile import reconcile
from composer.engine.records import ContainerRecord, ProjectRecord
from composer.engine.resolve import resolve, resolve_one_off
from composer.engine.restarts import Restarts
from composer.engine.rooms import Rooms
from composer.engine.scope import dependencies, services_in_scope
from composer.engine.single import Single
from composer.engine.turns import Turns
from composer.engine.world import Desired, Observed, State
from composer.errors import ComposerError, ContainerError, EngineError
from composer.lock.pins import Pins
from composer.project.model import Project
from composer.project.origins import Origins
from composer.runtime import signals

if TYPE_CHECKING:
    from composer.build.housekeeping import Housekeeping
    from composer.engine.building.making import Making
    from composer.engine.transfers import Transfers
    from composer.engine.watching.watching import Watching


log = logging.getLogger("composer.engine")

_FATAL = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""What is meant to end a container."""


class Requests:
    """Answers requests; `server.routes` are its only callers."""

    def __init__(
        self,
        rooms: Rooms,
        containers: Containers,
        loop: Loop,
        processes: Processes,
        logs: Logs,
        pictures: Pictures,
        transfers: Callable[[], Transfers],
        making: Callable[[], Making],
        keeping_house: Callable[[], Housekeeping],
    ) -> None:
        self._turns = Turns(rooms.bus.changed, lambda project: self.restarts.go_on(project))
        self._carrying = Carrying(rooms, containers, loop, logs, making, transfers, self._turns)
        self.restarts = Restarts(rooms.store, self._carry_on)
        self._provision = Provision(pictures, making, rooms.clock)
        self._rooms = rooms
        self._containers = containers
        self._pictures = pictures
        self.images = ImageRequests(rooms, self._carrying, pictures, keeping_house)
        self.looking = Looking(rooms, loop, logs)
        self.single = Single(rooms, containers, loop, processes, logs, self.looking)
        logs.at_work = self._turns.at_work
        self.stopping = False
        self.watches: Later[Watching]
        """The watches over projects; they use our `up`, so they come after us."""

    # -- a project's life ----------------------------------------------------------------------------------------

    async def up(self, name: str, request: UpRequest, emit: Emit) -> Result:
        """Bring a project to what its file says; see `reconcile`."""
        project = Project.model_validate(request.project)
        origins = Origins.from_wire(request.origins)
        async with self._turns.take(name, emit), placed(project, origins):
            told = len(self._rooms.notes)
            pins = Pins.from_wire(request.lock)
            images, first = await self._images(project, request.options, origins, request.surroundings, emit, pins)
            scope = services_in_scope(project, request.options.services, deps=not request.options.no_deps)
            contents = await asyncio.to_thread(read_contents, project, scope)
            desired = resolve(project, images, request.options, contents)
            desired = replace(desired, generations=self._rooms.store.generations_of(name))
            plan = reconcile(desired, await self._observed(name), request.options, locate_in(origins))
            before = self._rooms.store.projects.get(name)
            if before and self._rooms.store.containers_of(name) and (told_of := namesake(before, project)):
                emit(Event("project", name, "warning", detail=told_of))
            self._remember(project)
            if request.options.dry_run:
                return await self._carrying.carry_out(name, known_after(first, plan), emit, dry_run=True)
            _tell_untouched(desired, plan, emit)
            done = await self._carrying.carry_out(name, plan, emit)
            for note in self._rooms.notes[told:]:
                emit(Event("project", name, "warning", detail=note))
            return replace(done, changed=done.changed + len(first.nodes))

    async def down(self, name: str, request: DownRequest, emit: Emit) -> Result:
        """Stop and remove a project's containers and networks, with `volumes` its volumes too; a watch over it ends first."""
        if not request.services and not request.dry_run:
            await self._unwatch(name)
        project = Project.model_validate(request.project) if request.project else None
        async with self._turns.take(name, emit, ending=not request.dry_run):
            known = frozenset({*project.services, *project.disabled}) if project else None
            observed = await self._observed(name)
            images = teardown.images_of(observed, name, project, request) if request.images else ()
            plan = teardown.down(observed, name, request, known, await self._pictures.users(images))
            if not request.dry_run:
                self.restarts.call_off(name, request.services)
            result = await self._carrying.carry_out(name, plan, emit, dry_run=request.dry_run)
            if not request.dry_run and not self._rooms.store.containers_of(name):
                self._rooms.store.projects.remove(name)
                await self._unwatch(name)
            return result

    async def _unwatch(self, name: str) -> None:
        if self.watches.made is not None:
            await self.watches.made.stop(name, "the project is taken down")

    async def services(self, verb: str, name: str, request: ServicesRequest, emit: Emit) -> Result:
        """`stop`, `start`, `restart`, `kill` or `rm` of services."""
        if verb == "kill":
            return self._kill(name, request, emit)
        ends = verb in ("stop", "rm") or (verb == "restart" and name in self.restarts.under_way)
        async with self._turns.take(name, emit, ending=ends and not request.dry_run):
            plan = teardown.verb(verb, await self._observed(name), request)
            if verb in ("stop", "rm") and not request.dry_run:
                self.restarts.call_off(name, request.services)
            try:
                return await self._carrying.carry_out(name, plan, emit, dry_run=request.dry_run)
            except ComposerError:
                if verb == "restart":
                    self.restarts.call_off(name)  # the user is told what failed, and what was left out for that
                raise

    async def _carry_on(self, name: str) -> None:
        """Come to the end of a restart that was broken off. Raises EngineError when another request ends this, too."""
        async with self._turns.take(name, lambda _event: None):
            plan = teardown.carried_on(await self._observed(name), self.restarts.begun(name))
            try:
                await self._carrying.carry_out(name, plan, lambda _event: None)
            except ComposerError as error:
                self.restarts.call_off(name)
                log.warning("cannot finish a restart of `%s`: %s", name, error)

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
        async with self._turns.take(name, emit), placed(project, origins):
            pins = Pins.from_wire(request.lock)
            images, first = await self._images(project, options, origins, request.surroundings, emit, pins)
            changed = len(first.nodes)
            scope = services_in_scope(project, options.services, deps=not options.no_deps)
            contents = await asyncio.to_thread(read_contents, project, scope)
            if dependencies := one_off_dependencies(project, request):
                needed = replace(options, services=dependencies, no_deps=False)
                desired = resolve(project, images, needed, contents)
                plan = reconcile(desired, await self._observed(name), needed, locate_in(origins))
                changed += (await self._carrying.carry_out(name, plan, emit)).changed
            one_off = resolve_one_off(project, images, request, secrets.token_hex(6), contents)
            plan = reconcile(one_off, await self._observed(name), UpOptions(), locate_in(origins))
            self._remember(project)
            try:
                await self._carrying.carry_out(name, _without_start(plan), emit)
            except BaseException:
                if request.remove:
                    await self.single.discard(self._rooms.store.container_named(one_off.containers[0].name))
                raise
        container = self._container_named(one_off.containers[0].name)
        if request.remove:
            self._rooms.store.containers.put(container.id, replace(container, remove_on_exit=True))
        return Result(changed=changed + 1, container=container.id)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def stop_everything(self, force: bool, emit: Emit) -> Result:
        """Make ready to end. Raises EngineError while containers run, unless `force` is there to stop them."""
        running = self._living()
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
        return bool(self._living())

    def _living(self) -> list[ContainerRecord]:
        is_starting = self._rooms.networks.use.is_starting
        return [record for record in self._rooms.store.containers if _lives(record) or is_starting(record.id)]

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
        first = await self._provision.plan(services, options, errand, locate_in(origins))
        if options.dry_run:
            made = made_by(first)
            rest = [service for service in services if image_reference(project, service) not in made]
            known = await self._pictures.of(project, rest, origins, pins)
            return {**dict.fromkeys(made, unknown_image()), **known}, first
        if first:
            told = untold(emit) if options.quiet_pull else emit
            told = without_steps(told) if options.quiet_build else told
            await self._carrying.carry_out(project.name, first, told, surroundings=surroundings, errand=errand)
        return await self._pictures.of(project, services, origins, pins), first

    async def _observed(self, name: str) -> Observed:
        """What is there, once starts under way have come to their end: of a policy, or of a request that was broken off."""
        for record in self._rooms.store.containers_of(name):
            async with self._rooms.lock_of(record.id):
                pass
        return observe(self._rooms, name)

    def _kill(self, name: str, request: ServicesRequest, emit: Emit) -> Result:
        """Signal at once: not even a `stop` that waits out a grace period is waited for."""
        self._turns.end(name)
        if fatal := signals.number(request.signal) in _FATAL:
            self.restarts.call_off(name, request.services)
        killed = 0
        for record in self._rooms.store.containers_of(name):
            if record.state is State.RUNNING and (not request.services or record.service in request.services):
                if fatal:
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

    def _container_named(self, name: str) -> ContainerRecord:
        record = self._rooms.store.container_named(name)
        if record is None:
            raise ContainerError(f"container `{name}` was removed meanwhile")
        return record


def _lives(record: ContainerRecord) -> bool:
    """Whether it runs, or will soon."""
    return record.state in (State.RUNNING, State.RESTARTING) or bool(record.restarting)


def namesake(before: ProjectRecord, project: Project) -> str:
    """What to tell whoever brings up a project whose containers come from elsewhere, "" where the file there is gone: moved."""
    if before.working_dir == project.working_dir or not any(Path(file).exists() for file in before.config_files):
        return ""
    return (
        f"the containers of project `{project.name}` come from `{before.working_dir}`, and what is there has the same name: "
        "such projects replace each other's containers; `-p` or `name:` gives one of them another"
    )


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
