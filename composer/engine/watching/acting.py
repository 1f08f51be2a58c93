"""What a watch does beside bringing files in: restarts, builds, reloads, and making a changed project real.

All of it goes through the engine's own requests: what is desired changes, and reconciliation carries it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from composer.api.messages import Event, UpOptions, WatchRequest
from composer.engine.records import ContainerRecord
from composer.engine.watching.deeds import Deeds
from composer.engine.watching.definition import Definition
from composer.engine.watching.manifest import Manifest
from composer.engine.watching.reload import Reload, post
from composer.engine.watching.sight import Change
from composer.engine.watching.tools import Emit, Tools
from composer.engine.world import Generation, State
from composer.errors import ComposerError, ContainerError
from composer.kernel import process
from composer.project.model import Service
from composer.runtime import signals
from composer.unbroken import unbroken
from composer.watch.rules import Rule

_ENDS_WITHIN = 0.5
"""Seconds that the end of a container may be told after that of a command in it."""


class Acting:
    """Acts for one project, by the definition it was given last."""

    def __init__(self, name: str, tools: Tools, emit: Emit, request: WatchRequest, definition: Definition) -> None:
        self.request = request
        self.definition = definition
        self._name = name
        self._tools = tools
        self._emit = emit

    def deeds(self, manifest: Manifest, look: Callable[[list[str]], None]) -> Deeds:
        """What services may ask for; what they have dealt with is entered in `manifest`."""

        async def done(changes: list[tuple[Rule, Change]]) -> None:
            for rule, change in changes:
                await unbroken(manifest.enter, rule, change)

        return Deeds(
            now=self._tools.rooms.clock.monotonic,
            intend=self._intend,
            restart=self._restart,
            rebuild=self._rebuild,
            run=self._tools.processes.run,
            ended=self._ended,
            reload=self._reload,
            look=look,
            done=done,
        )

    # -- for a service -----------------------------------------------------------------------------------------------

    def _intend(self, service: str, cause: str) -> None:
        store = self._tools.rooms.store
        generation = Generation(store.generation(self._name, service) + 1, cause)
        store.generations.put(f"{self._name}/{service}", generation)

    async def _restart(self, service: str) -> bool:
        store = self._tools.rooms.store
        current = store.generation(self._name, service)
        records = [each for each in store.containers_of(self._name) if each.service == service and not each.one_off]
        if all(record.generation >= current for record in records):
            return False
        # To wait for the end of a program that does not hear the signal is of no use to anybody.
        deaf = all(
            not process.hears(record.pid, signals.number(record.config.stop_signal)) for record in records if record.pid
        )
        await self._up((service,), timeout=0.0 if deaf else None)
        return True

    async def _ended(self, record: ContainerRecord) -> bool:
        def ended() -> bool:
            now = self._tools.rooms.store.containers.get(record.id)
            return now is None or now.state is not State.RUNNING or now.pid != record.pid

        # A namespace's first process is the last of it to be gone: pid_namespaces(7).
        return await self._tools.rooms.bus.until(ended, _ENDS_WITHIN)

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
        request = self.definition.request(asked.options, asked.surroundings)
        await self._up(await self._tools.rebuild(request, service, self._only_problems))
        if self.request.prune:
            await self._tools.prune(self._name)

    async def _up(self, services: Sequence[str], timeout: float | None = None) -> None:
        # What is in the containers is ours to say here; images are built when a rule says so.
        options = self._options(services, build="missing", timeout=timeout)
        request = self.definition.request(options, self.request.up.surroundings)
        await self._tools.up(self._name, request, self._only_problems)

    def _options(self, services: Sequence[str], build: str, timeout: float | None) -> UpOptions:
        return replace(
            self.request.up.options,
            services=tuple(services),
            no_deps=True,
            no_start=False,
            wait=False,
            scale={},
            build=build,
            timeout=timeout,
        )

    # -- for the project ---------------------------------------------------------------------------------------------

    async def apply(self, definition: Definition) -> bool:
        """Go by another definition from now on: show what it means, and carry that out; whether that went well."""
        began = self._tools.rooms.clock.monotonic()
        self.definition = definition
        try:
            is_changed = await self._carry_out(replace(self.request.up.options, build="definition"))
        except ComposerError as error:
            self._emit(Event("watch", self._name, "error", detail=error.message, hint=error.hint))
            return False
        seconds = self._tools.rooms.clock.monotonic() - began
        detail = "" if is_changed else "nothing to do"
        self._emit(Event("watch", self._name, "applied", detail=detail, seconds=seconds))
        return True

    async def build_what_was_missed(self) -> bool:
        """Build what has changed and was not built, for services that are rebuilt when files change; whether that went well."""
        services = self.definition.project.services
        wanted = self.request.up.options.services or tuple(services)
        chosen = tuple(name for name in wanted if name in services and _is_rebuilt(services[name]))
        if not chosen:
            return True
        try:
            await self._carry_out(
                self._options(chosen, build="auto", timeout=self.request.up.options.timeout), only="build/"
            )
        except ComposerError as error:
            self._emit(Event("watch", self._name, "error", detail=error.message, hint=error.hint))
            return False
        return True

    async def _carry_out(self, options: UpOptions, only: str = "") -> bool:
        """Tell the plan of an `up` and do it; False where nothing, or nothing that begins with `only`, is to be done."""
        surroundings = self.request.up.surroundings
        preview = self.definition.request(replace(options, dry_run=True), surroundings)
        plan = (await self._tools.up(self._name, preview, _quiet)).plan
        if not any(line.startswith(only) for line in plan.splitlines()):
            return False
        self._emit(Event("watch", self._name, "plan", detail=plan))
        await self._tools.up(self._name, self.definition.request(options, surroundings), self._only_problems)
        return True

    def _only_problems(self, event: Event) -> None:
        # That an image could not be built or pulled is told once, when the request that needed it ends.
        if event.status == "warning" or (event.status == "error" and event.resource != "image"):
            self._emit(event)


def _is_rebuilt(service: Service) -> bool:
    """Whether a rule says that the service is built again when files change."""
    return service.develop is not None and any(rule.action == "rebuild" for rule in service.develop.watch)


def _quiet(_event: Event) -> None:
    """Nobody is told."""
