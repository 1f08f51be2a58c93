"""One step carried out: a fresh upper directory, and in it what the operation makes of what is below."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from composer.build.cachemounts import CacheMounts
from composer.build.failure import RunFailed, Tail
from composer.build.files import CopyOptions, Owner, copy, is_bare, make_directory, parse_permissions, resolve_owner
from composer.build.inputs import Inputs, Reading
from composer.build.layers import Layer, hold, paths
from composer.build.operations import (
    CopyOperation,
    LayerOperation,
    MountKind,
    Part,
    RunMount,
    RunOperation,
    SourceKind,
    WorkdirOperation,
)
from composer.build.worker import Agent, Attached, Directory, File, Memory, RunTask, Tree, Worker
from composer.errors import UsageError
from composer.image.ownership import Ownership
from composer.unbroken import unbroken

Output = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Room:
    """A step's own directory."""

    directory: Path

    @property
    def layer(self) -> Path:
        """What becomes a snapshot: `fs` and its size."""
        return self.directory / "layer"

    @property
    def upper(self) -> Path:
        """What the step writes."""
        return self.directory / "layer" / "fs"

    def make(self, below: Layer | None) -> None:
        """Make the directories; the root of the layer is as that below it."""
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.upper.mkdir(parents=True)
        self.upper.chmod(0o755)
        lower = paths(below)
        if lower:
            status = lower[0].stat()
            os.chown(self.upper, status.st_uid, status.st_gid)
            self.upper.chmod(stat.S_IMODE(status.st_mode))
            os.utime(self.upper, ns=(status.st_atime_ns, status.st_mtime_ns))


class Performer:
    """Carries out steps; one for the whole engine."""

    def __init__(self, worker: Worker, caches: CacheMounts, ownership: Ownership) -> None:
        self._worker = worker
        self._caches = caches
        self._ownership = ownership

    async def perform(
        self,
        operation: LayerOperation,
        room: Room,
        below: Layer | None,
        sources: Mapping[Reading, Layer | None],
        inputs: Inputs,
        output: Output,
        warn: Output = lambda _: None,
    ) -> None:
        """Make the layer of `operation` in `room`; what it reads of stages is in `sources`. `warn` hears what is odd.

        Raises:
            RunFailed: the step's process failed.
            ComposerError: files are missing, a secret cannot be read, the process cannot be started, the disk is full.
        """
        with hold([below]):
            room.make(below)
            match operation:
                case CopyOperation():
                    await self._copy(operation, room, below, sources, inputs, warn)
                case WorkdirOperation(path, user):
                    await unbroken(lambda: self._workdir(path, user, room, paths(below), inputs.epoch))
                case RunOperation():
                    pass  # it holds what it needs for as long as it must
        if isinstance(operation, RunOperation):
            await self._run(operation, room, below, sources, inputs, output)
            if inputs.epoch is not None:
                await asyncio.to_thread(_clamp, room.upper, inputs.epoch)

    async def quiet(self) -> None:
        """Return when nothing is left of steps that have ended but their layers."""
        await self._worker.quiet()

    async def _copy(
        self,
        operation: CopyOperation,
        room: Room,
        below: Layer | None,
        sources: Mapping[Reading, Layer | None],
        inputs: Inputs,
        warn: Output,
    ) -> None:
        selections = [await inputs.select(operation, part, sources.get(part)) for part in operation.parts]
        for part, selection in zip(operation.parts, selections, strict=True):
            for pattern in selection.unmatched:
                warn(f"`{pattern}` matches nothing")
            if part.source.kind is SourceKind.CONTEXT and is_bare(selection):
                warn(
                    f"there is nothing in `{'`, `'.join(part.patterns)}` to copy; what .dockerignore names does not count"
                )
        base = paths(below)
        owner = await asyncio.to_thread(resolve_owner, operation.owner, base) if operation.owner else None
        for name in owner.unknown if owner else ():
            warn(f"`--chown={operation.owner}`: there is no `{name}` in the image, so that root has it")

        def work() -> None:
            permissions = parse_permissions(operation.mode) if operation.mode else None
            options = CopyOptions(owner, permissions, inputs.epoch)
            lower: Sequence[Path] = () if operation.link else base
            copy(selections, room.upper, lower, operation.destination, self._ownership, options)

        await unbroken(work)

    def _workdir(self, path: str, user: str, room: Room, base: Sequence[Path], epoch: int | None) -> None:
        owner = resolve_owner(user, base) if user else Owner()
        make_directory(path, room.upper, base, self._ownership, owner=owner, latest=epoch)

    async def _run(
        self,
        operation: RunOperation,
        room: Room,
        below: Layer | None,
        sources: Mapping[Reading, Layer | None],
        inputs: Inputs,
        output: Output,
    ) -> None:
        tail = Tail()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def hear(data: bytes) -> None:
            text = decoder.decode(data)
            tail.feed(text)
            output(text)

        async with contextlib.AsyncExitStack() as stack:
            environment = {**dict(operation.proxies), **dict(operation.environment)}
            attached: list[Attached] = []
            for mount in sorted(operation.mounts, key=lambda one: one.target.count("/")):
                attached += await self._attached(mount, sources, inputs, environment, stack)
            if operation.script:
                attached.append(_script(operation.script, room))
            held = stack.enter_context(contextlib.ExitStack())
            held.enter_context(hold([below, *sources.values()]))
            task = RunTask(
                room.directory.name,
                operation,
                paths(below),
                room.upper,
                room.directory,
                tuple(environment.items()),
                attached,
            )
            status = await self._worker.run(task, held.close, hear)
        if status != 0:
            raise RunFailed(status, tail)

    async def _attached(
        self,
        mount: RunMount,
        sources: Mapping[Reading, Layer | None],
        inputs: Inputs,
        environment: dict[str, str],
        stack: contextlib.AsyncExitStack,
    ) -> list[Attached]:
        match mount.kind:
            case MountKind.BIND:
                layer = sources.get(mount)
                if layer is not None:
                    await layer.digests
                return [Tree(mount.target, paths(layer), mount.path, mount.read_only)]
            case MountKind.CACHE:
                directory, new = await stack.enter_async_context(self._caches.using(mount))
                if new and mount.source is not None:
                    try:
                        await self._seed(directory, mount, sources.get(mount), inputs)
                    except BaseException:
                        self._caches.forget(directory)  # the next one is to be filled
                        raise
                return [Directory(mount.target, directory, mount.read_only)]
            case MountKind.TMPFS:
                return [Memory(mount.target, mount.size)]
            case MountKind.SECRET:
                return await self._secret(mount, inputs, environment)
            case MountKind.SSH:
                socket = inputs.options.ssh.get(mount.id)
                if socket is None:
                    if mount.required:
                        raise UsageError(
                            f"cannot forward the ssh agent `{mount.id}`: the build was not given it",
                            hint="add it to `build.ssh`",
                        )
                    return []
                return [Agent(mount.target, socket, mount.mode, mount.uid, mount.gid)]

    async def _secret(self, mount: RunMount, inputs: Inputs, environment: dict[str, str]) -> list[Attached]:
        read = inputs.options.secrets.get(mount.id)
        if read is None:
            if mount.required:
                raise UsageError(
                    f"cannot give the secret `{mount.id}`: the build was not given it", hint="add it to `build.secrets`"
                )
            return []
        content = await asyncio.to_thread(read)
        if mount.variable:
            environment[mount.variable] = content.decode("utf-8", "surrogateescape")
        return [File(mount.target, content, mount.mode, mount.uid, mount.gid)] if mount.target else []

    async def _seed(self, directory: Path, mount: RunMount, layer: Layer | None, inputs: Inputs) -> None:
        """Fill a new cache with what it begins with; its own owner and mode stay."""
        assert mount.source is not None
        part = Part(mount.source, (mount.path,))
        selection = await inputs.select(CopyOperation((part,), "/"), part, layer)
        await unbroken(lambda: copy([selection], directory, (), "/", self._ownership))


def _script(script: tuple[str, bytes], room: Room) -> Directory:
    """A program that stands in the Dockerfile, in a directory of its own."""
    target, content = script
    directory = room.directory / "pipes"
    directory.mkdir()
    path = directory / PurePosixPath(target).name
    path.write_bytes(content)
    path.chmod(0o755)
    return Directory(str(PurePosixPath(target).parent), directory, read_only=True)


def _clamp(tree: Path, epoch: int) -> None:
    """Let nothing in a tree be later than `epoch`."""
    latest = epoch * 1_000_000_000
    for parent, directories, files in os.walk(tree, topdown=False):
        for name in (*directories, *files):
            _clamp_one(os.path.join(parent, name), latest)  # noqa: PTH118 - a path for each file is slow
    _clamp_one(str(tree), latest)


def _clamp_one(path: str, latest: int) -> None:
    status = os.lstat(path)
    if status.st_mtime_ns > latest:
        os.utime(path, ns=(latest, latest), follow_symlinks=False)
