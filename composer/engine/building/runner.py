"""RUN steps: processes as containers have them, on the layers of a build.

The difference to a container: nothing is on record, since a step that nobody waits for is worth nothing. Whatever a step
had is gone when `run` returns or raises; what an engine that died had is cleared away by the next one, which finds the
control group of a step on no record.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from composer.build.worker import Agent, File, RunTask
from composer.engine.building import ground, networks
from composer.engine.building.agents import forwarded
from composer.engine.building.attach import mount_steps, needs_directory
from composer.engine.building.plain import SLOW, PlainRoot
from composer.engine.building.surroundings import StepNetwork, etc_files, identity_of, spec_of
from composer.engine.building.uplink import Uplink
from composer.engine.confinement import Confinement
from composer.engine.networking import JOINED
from composer.engine.pipes import chunks
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.unstartable import why_not_run
from composer.engine.world import State
from composer.errors import ComposerError, ContainerError
from composer.keeper import steps
from composer.keeper.program import NO_INTERPRETER
from composer.keeper.runs import Run, Started
from composer.keeper.steps import Step
from composer.oci.runtime_spec import Spec
from composer.runtime.bundle import Bundle
from composer.runtime.cgroup import Cgroup
from composer.runtime.compile import clone_namespaces, container_steps
from composer.unbroken import unbroken

log = logging.getLogger("composer.engine")

_LATE_OUTPUT_SECONDS = 1.0
"""How long what is left in the pipe is read after the process is gone."""

_NOT_FOUND = 127

_DEAD_WITHIN = 10.0
"""Seconds that a step's process may take to disappear after SIGKILL."""


class Runner:
    """Implements `build.worker.Worker`; one instance an engine."""

    def __init__(self, rooms: Rooms, confinement: Confinement, uplink: Uplink) -> None:
        self._rooms = rooms
        self._confinement = confinement
        self._uplink = uplink
        self._clearing: set[asyncio.Task[None]] = set()

    async def run(self, task: RunTask, started: Callable[[], None], output: Callable[[bytes], None]) -> int:
        """See `build.worker.Worker.run`."""
        async with contextlib.AsyncExitStack() as stack:
            status = await self._run(task, started, output, stack)
            # Its processes are gone: what else it had is cleared away while the next step begins.
            clearing = asyncio.create_task(stack.pop_all().aclose())
            self._clearing.add(clearing)
            clearing.add_done_callback(self._clearing.discard)
            return status

    async def quiet(self) -> None:
        """See `build.worker.Worker.quiet`."""
        await asyncio.gather(*self._clearing)

    async def _run(
        self,
        task: RunTask,
        started: Callable[[], None],
        output: Callable[[bytes], None],
        stack: contextlib.AsyncExitStack,
    ) -> int:
        network = await self._network(task, stack)
        cgroup = await self._cgroup(task, stack)
        agents = {
            item.target: await stack.enter_async_context(forwarded(item, task.scratch / f"agent{number}"))
            for number, item in enumerate(task.attached)
            if isinstance(item, Agent)
        }
        spec = spec_of(task, identity_of(task), network)
        plain = None if self._rooms.facts.overlay else PlainRoot(task)
        bundle = await self._bundle(task, spec, network, cgroup, agents, plain)
        fds, network_steps = self._attached(network, stack)
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            running = await self._start(
                Run(
                    id=task.id,
                    steps=container_steps(spec, bundle, self._rooms.facts, network_steps),
                    clone=clone_namespaces(spec),
                    fds={**fds, "output": writing},
                    stdout="output",
                    stderr="output",
                    journal=False,
                )
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        try:
            started()
            naming = asyncio.create_task(self._announce(network, running))
            try:
                status = await self._outcome(task, running, reading, output)
            finally:
                await asyncio.gather(naming, return_exceptions=True)
            if plain and not status:
                await unbroken(plain.keep)
            return status
        finally:
            for fd in (running.pidfd, *running.reported.values()):
                os.close(fd)

    async def _announce(self, network: StepNetwork, running: Started) -> None:
        """Have its questions for names answered; until then they wait."""
        if network.place:
            try:
                await self._rooms.networks.announce(network.place.record, running.reported)
            except ComposerError as error:
                log.warning("a build step finds no names: %s", error.message)

    async def _start(self, request: Run) -> Started:
        """Start a process; whoever gives up meanwhile leaves none behind."""
        starting = asyncio.ensure_future(self._rooms.keeping.run(request))
        try:
            return await asyncio.shield(starting)
        except ContainerError as error:
            raise _explained(error, request) from error
        except asyncio.CancelledError:
            with contextlib.suppress(ComposerError):
                running = await starting
                await self._end(request.id, running)
                for fd in (running.pidfd, *running.reported.values()):
                    os.close(fd)
            raise

    async def _network(self, task: RunTask, stack: contextlib.AsyncExitStack) -> StepNetwork:
        wanted = task.operation.network
        if wanted == "host":
            return StepNetwork(None, host=True)
        if wanted == "none":
            return StepNetwork(None, host=False)
        if (joined := networks.partner(wanted)) is not None:
            record = self._partner(*joined)
            return StepNetwork(None, False, record, self._rooms.networks.host_gateway(record))
        place = await stack.enter_async_context(self._uplink.place(task.id, networks.named(wanted)))
        return StepNetwork(place, host=False, gateway=place.gateway)

    def _partner(self, project: str, service: str) -> ContainerRecord:
        """The container whose network a step shares."""
        for record in self._rooms.store.containers_of(project):
            if record.service == service and record.state is State.RUNNING and not record.one_off:
                return record
        raise ContainerError(
            f"cannot run a step on the network of `{service}`: it does not run",
            hint=f"`compose up -d {service}` first, or take `network: service:{service}` away",
        )

    def _attached(
        self, network: StepNetwork, stack: contextlib.AsyncExitStack
    ) -> tuple[Mapping[str, int], tuple[Step, ...]]:
        """What brings a step's process to where it is: descriptors by name, and steps."""
        if network.place:
            return network.place.fds, network.place.steps
        if network.partner is None or network.partner.config.network_mode == "host":
            return {}, ()
        netns = os.open(f"/proc/{network.partner.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, netns)
        return {JOINED: netns}, (steps.JoinNamespace(JOINED, "net"),)

    async def _cgroup(self, task: RunTask, stack: contextlib.AsyncExitStack) -> Cgroup:
        cgroup = self._rooms.cgroups.create(task.id, None)  # some calls of mkdir(2): a thread would take longer

        async def clear() -> None:
            with contextlib.suppress(ComposerError):
                await asyncio.to_thread(self._clear, task.id)

        stack.push_async_callback(clear)
        return cgroup

    def _clear(self, name: str) -> None:
        self._rooms.cgroups.kill(name)
        self._rooms.cgroups.remove(name)

    async def _bundle(
        self,
        task: RunTask,
        spec: Spec,
        network: StepNetwork,
        cgroup: Cgroup,
        agents: dict[str, Path],
        plain: PlainRoot | None,
    ) -> Bundle:
        rooms, held = self._rooms, spec.process.capabilities
        files = [item for item in task.attached if isinstance(item, File)]
        lowest = task.scratch / "ground"
        one_user = rooms.facts.one_id and spec.process.user.uid == 0
        etc = etc_files(task, network, one_user=one_user)
        ground.lay(
            lowest,
            task.lower,
            [item.target for item in task.attached if needs_directory(item)],
            [
                *(target for target, _source in etc),
                *(one.target for one in task.attached if not needs_directory(one)),
            ],
        )
        work = task.scratch / "work"
        work.mkdir()
        if plain:
            if SLOW not in rooms.notes:
                rooms.notes.append(SLOW)
            await unbroken(lambda: plain.make(lowest))
        options = ("userxattr",) if rooms.facts.userxattr else ()
        return Bundle(
            rootfs=str(rooms.paths.rootfs),
            plain=str(plain.directory) if plain else "",
            lower=(*map(str, task.lower), str(lowest)),
            upper=str(task.upper),
            work=str(work),
            volatile=True,  # its layer is synchronised later; until then it would be made again after a crash of the machine
            etc=etc,
            mounted=tuple(mount_steps(task, str(rooms.paths.files), agents, options, plain.trees if plain else None)),
            files=tuple((item.target, item.content, item.mode, item.uid, item.gid) for item in files),
            files_place=str(rooms.paths.files),
            cgroup=cgroup,
            seccomp=b""
            if task.operation.insecure
            else await self._confinement.default_filter(held.bounding if held else (), lenient=one_user),
        )

    async def _outcome(self, task: RunTask, running: Started, reading: int, output: Callable[[bytes], None]) -> int:
        async def read() -> None:
            async for data in chunks(reading):
                output(data)

        reader = asyncio.create_task(read())
        try:
            status = await self._rooms.keeping.keeper.wait(task.id)
            await asyncio.wait([reader], timeout=_LATE_OUTPUT_SECONDS)
            return status
        except (asyncio.CancelledError, ComposerError):  # the build was given up, or the keeper died
            await self._end(task.id, running)
            raise
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _end(self, step: str, running: Started) -> None:
        """Kill a step: its first process takes all others of its pid namespace along."""
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
        with contextlib.suppress(TimeoutError, ComposerError):
            async with asyncio.timeout(_DEAD_WITHIN):
                await self._rooms.keeping.keeper.wait(step)


def _explained(error: ContainerError, request: Run) -> ContainerError:
    """A new error that says what it means that a step's program cannot be executed."""
    program = next((step.arguments[0] for step in request.steps if isinstance(step, steps.Exec)), "")
    message, hint = why_not_run(error, program)
    if error.exit_code == _NOT_FOUND and error.errno != NO_INTERPRETER:
        message, hint = f"`{program}` is not in its root file system", "build on an image that has it"
    if error.errno == errno.ENOEXEC:
        message = f"`{program}` is no program for this machine"
        hint = "the base image may be for another platform: install `qemu-user-static`, or build for this one"
    return ContainerError(message, hint=hint, step=error.step, errno=error.errno, exit_code=error.exit_code)
