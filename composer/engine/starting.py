"""A container's start: from its record to a running first process, or to nothing at all.

Order: what can fail for the user's reasons first (image, user, volumes, ports), then the process, then its name. Whatever
was made for a start that fails is undone, so a failed start leaves a container that says why it does not run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace

from composer.engine import contents, devices, etc_files, ground
from composer.engine.blame import blamed
from composer.engine.confinement import Confinement
from composer.engine.containers import event, is_logged, make_directories
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.storage import Sources, Storage
from composer.engine.translate import Placement, container_spec
from composer.engine.unstartable import why_not_started
from composer.engine.world import Attachment, ContainerConfig, Health, State
from composer.errors import ComposerError, ContainerError
from composer.image.entries import platform_of
from composer.image.image import Image
from composer.image.plain import copy_merged
from composer.keeper.runs import Run, Started
from composer.oci.runtime_spec import Mount, Namespace, Spec
from composer.project.facts import Facts, located
from composer.project.templates import render
from composer.runtime.bundle import Bundle
from composer.runtime.compile import clone_namespaces, container_steps, unenforced
from composer.runtime.emulation import obstacle, runs_here


class Starting:
    """Starts containers; one instance an engine."""

    def __init__(self, rooms: Rooms, confinement: Confinement) -> None:
        self._rooms = rooms
        self._confinement = confinement
        self._storage = Storage(rooms)

    async def start(self, record: ContainerRecord) -> ContainerRecord:
        """Start a container that does not run; its record as it is then.

        Raises:
            ContainerError: with `exit_code` 127 or 126 for a command that is not found or not executable.
            HostError: a port is taken, or this machine lacks what the container needs.
            ImageError: its image is gone.
        """
        async with self._rooms.networks.use.starting(record):
            return await self._start(record)

    async def _start(self, record: ContainerRecord) -> ContainerRecord:
        rooms = self._rooms
        record = replace(
            record,
            wanted=True,
            error="",
            joined=self._partner(record),
            starts=record.starts + 1,
            ports=(),
            generation=rooms.store.generation(record.project, record.service),
        )
        rooms.store.containers.put(record.id, record)
        try:
            image = self._confinement.image(record)
            _check_machine(image)
            if not rooms.images.stays(image):
                await asyncio.to_thread(rooms.images.unpack, image)
            if not rooms.paths.container(record.id).is_dir():  # a removal that an engine died over: it begins anew
                make_directories(rooms.paths, record)
            await self._copy_root(record, image)
            sources = await self._storage.prepare(record)
            spec, bundle = await self._compile(record, image, sources)
            if ports := await rooms.networks.publish(record):
                record = replace(record, ports=ports)
                rooms.store.containers.put(record.id, record)
                rooms.networks.opened(record)
            started = await self._run(record, spec, bundle)
        except ComposerError as error:
            await self._failed(record, error)
            if (told := _explained(record, error)) is error:
                raise
            raise told from error
        self._storage.mark_seeded(sources.seeded)
        record = replace(
            record,
            state=State.RUNNING,
            health=Health.STARTING if record.config.health else Health.NONE,
            pid=started.pid,
            start_time=started.start_time,
            started=rooms.clock.now(),
            finished=0.0,
            restarting="",
            exit_code=0,
            oom_killed=False,
        )
        rooms.store.containers.put(record.id, record)
        try:
            await self._hold(record, started)
            await rooms.networks.announce(record, started.reported)
        finally:
            for fd in (started.pidfd, *started.reported.values()):
                os.close(fd)
        rooms.bus.publish(record.project, event(record, "start", rooms.clock.now()))
        return record

    def _partner(self, record: ContainerRecord) -> str:
        """The id of the container whose network namespace `record` shares, "" for one of its own."""
        service = record.config.network_mode.removeprefix("service:")
        if service == record.config.network_mode:
            return ""
        for other in self._rooms.store.containers_of(record.project):
            if other.service == service and other.state is State.RUNNING and not other.one_off:
                return other.id
        raise ContainerError(
            f"cannot start `{record.name}`: it shares the network of `{service}`, which does not run",
            hint=f"`compose logs {service}` may say why",
        )

    async def _copy_root(self, record: ContainerRecord, image: Image) -> None:
        """Where overlay cannot be had, make the container's directory for what it writes hold all of the image.

        Raises ContainerError where there is no space, and for a container that was made while overlay could be had.
        """
        base = self._rooms.paths.container(record.id)
        if self._rooms.facts.overlay or (base / _COPIED).exists():
            return
        if not (base / _COPYING).exists() and any((base / "upper").iterdir()):
            raise ContainerError(
                f"cannot start `{record.name}`: it was made on an overlay, which cannot be had here any more",
                hint="`compose up --force-recreate` makes it anew",
            )
        try:
            (base / _COPYING).touch()
            await asyncio.to_thread(copy_merged, image.layers, base / "upper")
            (base / _COPYING).rename(base / _COPIED)
        except (OSError, RecursionError) as error:
            why = error.strerror if isinstance(error, OSError) else "its directories are nested too deeply"
            raise ContainerError(f"cannot copy the image of `{record.name}`: {why}") from error
        if _NO_OVERLAY not in self._rooms.notes:
            self._rooms.notes.append(_NO_OVERLAY)

    async def _compile(self, record: ContainerRecord, image: Image, sources: Sources) -> tuple[Spec, Bundle]:
        rooms, config = self._rooms, record.config
        hostname = config.hostname or record.id[:12]
        granted = devices.granted(config)
        placement = Placement(
            identity=self._confinement.identity(record, image),
            mounts=sources.paths,
            hostname="" if config.network_mode == "host" and not config.hostname else hostname,
            own_network=config.network_mode != "host",
            devices=granted.nodes,
            device_rules=granted.rules,
        )
        spec = _with_host_binds(container_spec(config, placement), image)
        if record.joined:
            spec = _joining(spec)
        cgroup = self._confinement.cgroup(record, spec.linux.resources)
        alone = (_ONE_USER,) if rooms.facts.one_id and image.id and spec.process.user.uid == 0 else ()
        for note in (*unenforced(spec, rooms.facts), *cgroup.unenforced, *alone):
            if note not in rooms.notes:
                rooms.notes.append(note)
        capabilities = spec.process.capabilities
        base = rooms.paths.container(record.id)
        bundle = Bundle(
            rootfs=str(rooms.paths.rootfs),
            plain=str(base / "upper") if (base / _COPIED).exists() else "",
            lower=(*map(str, image.layers), *ground.lay(rooms.paths.ground)),
            upper=str(base / "upper"),
            work=str(base / "work"),
            etc=etc_files.write(record, self._rooms, hostname),
            seeds=sources.seeds,
            files=await asyncio.to_thread(_files, config, rooms.facts.mapped_ids, self._located(record))
            if config.files
            else (),
            files_place=str(rooms.paths.files),
            devices=granted.sources,
            cgroup=cgroup,
            seccomp=await self._confinement.filter(record, capabilities.bounding if capabilities else ()),
            init=config.init,
        )
        return spec, bundle

    def _located(self, record: ContainerRecord) -> dict[str, Facts]:
        """What the container's templates know, by the target of the file, with the addresses that there are now."""
        networks, store = self._rooms.networks, self._rooms.store

        def address_of(service: str, number: int, network: str, written: str) -> str:
            return networks.reserve(record.project, service, number, Attachment(network, ipv4_address=written))

        def port_of(service: str, target: int) -> int | None:
            records = (each for each in store.containers_of(record.project) if each.service == service)
            ports = (port.host_port for each in records for port in each.ports if port.target == target)
            return next(ports, None)

        return {
            file.target: located(json.loads(file.facts), address_of, port_of)
            for file in record.config.files
            if file.facts
        }

    async def _run(self, record: ContainerRecord, spec: Spec, bundle: Bundle) -> Started:
        rooms = self._rooms
        fds, network, ours = rooms.networks.attach(record)
        stdin = record.config.stdin_open and not record.config.tty
        logged = is_logged(record.config)
        try:
            if stdin:
                # A pipe whose writing end only the store holds: letting go of it there is the end of input.
                reading, writing = os.pipe2(os.O_CLOEXEC)
                ours += [reading, writing]
                fds = {**fds, "stdin": reading}
                await rooms.keeping.put(f"stdin/{record.id}", {}, (writing,))
            return await rooms.keeping.run(
                Run(
                    id=record.id,
                    steps=container_steps(spec, bundle, rooms.facts, network),
                    clone=clone_namespaces(spec),
                    fds=fds,
                    stdin="stdin" if stdin else "",
                    log=str(rooms.paths.container(record.id) / "log") if logged else "",
                    fifos=str(rooms.paths.fifos(record.id)) if logged else "",
                )
            )
        finally:
            for fd in ours:
                os.close(fd)

    async def _hold(self, record: ContainerRecord, started: Started) -> None:
        """Have the terminal held by the keeper too, for those who attach."""
        if "pty" in started.reported:
            await self._rooms.keeping.put(f"pty/{record.id}", {}, (started.reported["pty"],))

    async def _failed(self, record: ContainerRecord, error: ComposerError) -> None:
        """Undo a start that did not come to be, and remember why."""
        code = error.exit_code if isinstance(error, ContainerError) and error.exit_code in (126, 127) else 128
        current = self._rooms.store.containers.get(record.id)
        if current is not None:
            failed = replace(
                record,
                state=State.CREATED,
                wanted=False,
                restarting="",
                error=error.message,
                ports=(),
                exit_code=code,
                pid=0,
            )
            self._rooms.store.containers.put(record.id, failed)
        self._confinement.forget(record.id)
        with contextlib.suppress(ComposerError):
            await self._rooms.networks.withdraw(record)
        with contextlib.suppress(ComposerError):
            await self._rooms.keeping.drop(f"stdin/{record.id}")
        with contextlib.suppress(ComposerError):
            # A keeper that died over this start may have left its process behind, known to nobody.
            await asyncio.to_thread(self._rooms.cgroups.kill, record.id)
            await asyncio.to_thread(self._rooms.cgroups.remove, record.id)
        self._rooms.bus.changed()


_COPYING, _COPIED = "copying", "copied"
"""Files that say that a container's directory is being made, or is, a copy of its image."""

_ONE_USER = (
    "only one user id is there: programs that become another user, as in images of postgres, redis or nginx, fail; "
    "`user:` starts them as that user, `uidmap` and a range in /etc/subuid and /etc/subgid give more ids "
    "(`compose engine logs --keeper` says so where they do not)"
)
_NO_OVERLAY = (
    "every container gets a copy of its image, which takes time and space: overlay is missing here, or does not work in the "
    "data directory; COMPOSER_DATA moves that to another disk"
)


def _check_machine(image: Image) -> None:
    """Raise ContainerError for an image whose programs this machine can neither run nor emulate."""
    platform = str(platform_of(image.config))
    if image.config.architecture and not runs_here(platform):
        message, hint = obstacle(platform)
        raise ContainerError(f"`{image.reference}` is for {platform}: {message}", hint=hint)


def _files(
    config: ContainerConfig, mapped_ids: int, facts: Mapping[str, Facts]
) -> tuple[tuple[str, bytes, int, int, int], ...]:
    """Secrets and configs as files, read and rendered anew; an id that is not mapped here is the container's root."""
    found = []
    for file in config.files:
        what = f"{file.kind} `{file.key}`"
        if file.facts:
            content = render(file.content, what, facts[file.target]).encode()
        elif file.path:
            content = contents.read(file.path, what)
        else:
            content = file.content.encode("utf-8", "surrogateescape")
        uid, gid = (number if number < mapped_ids else 0 for number in (file.uid, file.gid))
        found.append((file.target, content, file.mode, uid, gid))
    return tuple(found)


def _with_host_binds(spec: Spec, image: Image) -> Spec:
    """The parts of this machine that are part of the image `host`, below the container's own mounts."""
    taken = {mount.destination for mount in spec.mounts}
    binds = tuple(
        Mount(bind.target, str(bind.source), "bind", ("rbind", "rslave", "nosuid", "nodev", "ro"))
        for bind in image.binds
        if bind.target not in taken
    )
    return replace(spec, mounts=(*binds, *spec.mounts)) if binds else spec


def _joining(spec: Spec) -> Spec:
    """`spec` with the network namespace of another container instead of one of its own."""
    spaces = tuple(
        Namespace("network", "joined") if space.type == "network" else space for space in spec.linux.namespaces
    )
    return replace(spec, linux=replace(spec.linux, namespaces=spaces))


def _explained(record: ContainerRecord, error: ComposerError) -> ComposerError:
    """A new error with the container's name, and for a missing command with what would help; one that has it stays."""
    if not isinstance(error, ContainerError) or record.name in error.message:
        return _about(record, error, blamed(error, record.config)) if error.attribute else error
    program = record.config.arguments[0] if record.config.arguments else ""
    message, hint = why_not_started(error, program, record.config.image)
    told = ContainerError(
        f"cannot start `{record.name}`: {message}",
        hint=hint,
        step=error.step,
        errno=error.errno,
        exit_code=error.exit_code,
    )
    return _about(record, told, blamed(error, record.config))


def _about(record: ContainerRecord, error: ComposerError, path: tuple[str, ...]) -> ComposerError:
    """`error`, which knows from now on what of the project it is about."""
    if path:
        error.attribute = ("services", record.service, *path)
    return error
