"""One stage lowered, instruction by instruction: which vertex each becomes, and what it says of the image. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from composer.build import history
from composer.build.dockerfile.expand import ExpansionError, expand
from composer.build.dockerfile.instructions import Add, Arg, Copy, Device, Instruction, Run, ShellForm, Stage, Workdir
from composer.build.dockerfile.mount import Mount
from composer.build.dockerfile.place import problem_at
from composer.build.dockerfile.scope import PROXY_ARGS, arg_value
from composer.build.dockerfile.source import Span
from composer.build.dockerfile.sources import is_remote
from composer.build.dockerfile.stages import SCRATCH, Stages
from composer.build.dockerfile.substitute import Substituted, substituted
from composer.build.dockerfile.values import UnfitError
from composer.build.mounts import AGENT_VARIABLE, run_mounts
from composer.build.operations import (
    CopyOperation,
    LayerOperation,
    MountKind,
    Part,
    RunOperation,
    Source,
    SourceKind,
    VertexId,
    WorkdirOperation,
)
from composer.build.options import HOST_NETWORK, INSECURE, BuildOptions
from composer.build.stage import StageState
from composer.errors import BuildError

_ONE_LINE = 200
_ONBUILD = re.compile(r"^\s*ONBUILD\s+", re.IGNORECASE)


class Whole(Protocol):
    """The graph that a stage becomes part of."""

    @property
    def options(self) -> BuildOptions: ...

    @property
    def stages(self) -> Stages: ...

    @property
    def warnings(self) -> list[str]:
        """What is odd and no error."""

    def begin(self, stage: Stage) -> tuple[StageState, tuple[Instruction, ...]]:
        """A stage before its first instruction, and the triggers that its base has for it."""

    def context(self, name: str, path: str, title: str, span: Span) -> VertexId:
        """A root file system that holds `path` of a context, where it is there."""

    def stage_source(self, stage: Stage, instruction: Instruction, name: str) -> Source:
        """What `--from=name` means."""

    def obstacle(self, stage: Stage) -> tuple[str, str] | None:
        """Why a stage's programs cannot be run here, and what to try; None where they can."""

    def add_step(
        self, name: str, operation: LayerOperation, base: VertexId, span: Span, place: str, *, fresh: bool
    ) -> VertexId:
        """A new vertex."""


class StageLowering:
    """One stage, instruction by instruction."""

    def __init__(self, whole: Whole, stage: Stage) -> None:
        self._whole = whole
        self._stage = stage
        self._dockerfile = whole.stages.dockerfile
        self._options = whole.options
        self._state, triggers = whole.begin(stage)
        self._instructions = (*triggers, *whole.stages.instructions(stage))
        self._triggers = len(self._instructions) - len(stage.instructions)
        linked = whole.stages.linked[stage.index]
        self._total = sum(isinstance(one, Copy | Add | Run | Workdir) for one in self._instructions)
        self._position = 0
        if linked.base is None and linked.image != SCRATCH:
            self._total += 1
            self._position = 1
        names = {name.lower() for name in self._options.no_cache_filter}
        self._fresh = self._options.no_cache or stage.title in names

    def lowered(self) -> StageState:
        """The stage after its last instruction. Raises BuildError."""
        for number, instruction in enumerate(self._instructions):
            try:
                self._apply(instruction, triggered=number < self._triggers)
            except ValueError as error:
                hint = error.hint if isinstance(error, UnfitError) else ""
                problem = problem_at(self._dockerfile.source, instruction, str(error), hint=hint)
                raise BuildError([problem]) from error
        return self._state

    def _apply(self, instruction: Instruction, *, triggered: bool) -> None:
        state = self._state
        if isinstance(instruction, Arg):
            self._declare(instruction)
            return
        done = substituted(instruction, state.environment, self._dockerfile.escape)
        match done.instruction:
            case Run() as run:
                self._run(run, done, instruction, triggered)
            case Copy() | Add() as transfer:
                self._transfer(transfer, instruction, triggered)
            case Workdir(path=path):
                self._workdir(path, instruction, triggered)
            case other:
                state.configure(other)

    def _declare(self, instruction: Arg) -> None:
        """ARG. The history has its defaults and never what a build was given: that may be somebody's secret."""
        state, escape = self._state, self._dockerfile.escape
        shown = []
        for pair in instruction.pairs:
            shown.append((pair.key, arg_value(pair, {}, {}, state.environment, escape)))
            known = self._whole.stages.globals.values
            state.declare(pair.key, arg_value(pair, self._options.args, known, state.environment, escape))
        state.note(history.arg(shown))

    def _run(self, run: Run, done: Substituted, written: Instruction, triggered: bool) -> None:
        state, options = self._state, self._options
        if obstacle := self._whole.obstacle(self._stage):
            raise UnfitError(*obstacle)
        self._without(run.devices, written)
        script = None
        argv = state.argv(run.command)
        if isinstance(run.command, ShellForm) and run.command.has_shebang:
            document = run.command.heredocs[0]
            script = (f"/dev/pipes/{document.name}", document.document.encode("utf-8", "surrogateescape"))
            argv = state.in_shell(script[0])
        mounts = tuple(
            run_mounts(
                done.mounts,
                state.absolute,
                lambda mount: self._mount_source(mount, written),
                options.args.get("BUILDKIT_CACHE_MOUNT_NS", ""),
            )
        )
        environment = dict(state.environment)
        agent = next((mount.target for mount in mounts if mount.kind is MountKind.SSH), "")
        if agent:
            environment.setdefault(AGENT_VARIABLE, agent)
        operation = RunOperation(
            argv,
            tuple(environment.items()),
            _proxies(options.args),
            state.config.working_dir or "/",
            state.config.user,
            mounts,
            self._network(run),
            self._insecure(run),
            script,
            options.extra_hosts,
            options.shm_size,
            options.ulimits,
            options.args.get("BUILDKIT_SANDBOX_HOSTNAME", ""),
        )
        self._add(operation, history.run(argv, state.arguments), written, triggered)

    def _without(self, devices: Sequence[Device], written: Instruction) -> None:
        """Devices by CDI names are not looked up; BuildKit too goes on without one that is not there, unless `required`."""
        for device in devices:
            why = f"there is no device `{device.name}` for steps of builds: CDI specifications are not read here"
            if device.required:
                raise UnfitError(why, "take `required` away if the step can do without, or run it in a service")
            self._whole.warnings.append(f"line {written.span.first}: {why}; the step goes without")

    def _network(self, run: Run) -> str:
        options = self._options
        if run.network == "default":
            return options.network or "default"
        if run.network == "host" and options.network != "host" and HOST_NETWORK not in options.entitlements:
            raise ValueError(f"`--network=host` needs the entitlement `{HOST_NETWORK}`: add it to `build.entitlements`")
        return run.network

    def _insecure(self, run: Run) -> bool:
        options = self._options
        if run.security == "insecure" and INSECURE not in options.entitlements and not options.privileged:
            raise ValueError(
                f"`--security=insecure` needs the entitlement `{INSECURE}`: add it to `build.entitlements`"
            )
        return run.security == "insecure" or options.privileged

    def _mount_source(self, mount: Mount, at: Instruction) -> Source | None:
        if mount.from_:
            return None if mount.from_ == SCRATCH else self._whole.stage_source(self._stage, at, mount.from_)
        if mount.type != "bind":
            return None
        path = posixpath.normpath(posixpath.join("/", mount.source)).lstrip("/") or "."
        return Source(
            SourceKind.STAGE, vertex=self._whole.context("", path, f"[internal] context {mount.source or '.'}", at.span)
        )

    def _transfer(self, transfer: Copy | Add, written: Instruction, triggered: bool) -> None:
        state = self._state
        is_add = isinstance(transfer, Add)
        if isinstance(transfer, Copy) and transfer.source_stage:
            local = self._whole.stage_source(self._stage, written, transfer.source_stage)
        else:
            local = Source(SourceKind.CONTEXT)
        parts: list[Part] = []
        for pattern in transfer.sources:
            if isinstance(transfer, Add) and is_remote(pattern):
                url, checksum = self._options.pinned.remote(pattern, transfer.checksum)
                source = Source(SourceKind.REMOTE, url, checksum=checksum, keep_git_dir=transfer.keep_git_dir)
                parts.append(Part(source, (), bool(transfer.unpack)))
            else:
                unpack = isinstance(transfer, Add) and transfer.unpack is not False
                if parts and parts[-1].source == local and parts[-1].unpack == unpack:
                    parts[-1] = replace(parts[-1], patterns=(*parts[-1].patterns, pattern))
                else:
                    parts.append(Part(local, (pattern,), unpack))
        for document in transfer.heredocs:
            content = document.document.encode("utf-8", "surrogateescape")
            parts.append(Part(Source(SourceKind.INLINE, files=((document.name, content),)), (document.name,)))
        parents = isinstance(transfer, Copy) and transfer.parents
        operation = CopyOperation(
            tuple(parts),
            state.absolute(transfer.destination),
            transfer.owner,
            transfer.mode,
            transfer.excludes,
            parents,
            transfer.link,
        )
        words = [*transfer.sources, *(f"<<{document.name}" for document in transfer.heredocs), transfer.destination]
        said = history.copy(
            "ADD" if is_add else "COPY", words, parents=parents, owner=transfer.owner, mode=transfer.mode
        )
        self._add(operation, said, written, triggered)

    def _workdir(self, path: str, written: Instruction, triggered: bool) -> None:
        state = self._state
        directory = state.absolute(path).rstrip("/") or "/"
        state.config = replace(state.config, working_dir=directory)
        said = f"WORKDIR {directory}"
        if directory == "/":
            self._name(written, triggered)
            state.note(said)
        else:
            self._add(WorkdirOperation(directory, state.config.user), said, written, triggered)

    def _add(self, operation: LayerOperation, said: str, at: Instruction, triggered: bool) -> None:
        name = self._name(at, triggered)
        place = f"{self._stage.title}/{self._position}"
        vertex = self._whole.add_step(name, operation, self._state.top, at.span, place, fresh=self._fresh)
        self._state.note(said, vertex)

    def _name(self, at: Instruction, triggered: bool) -> str:
        """`[web 3/7] RUN make`, as BuildKit calls its steps."""
        self._position += 1
        several = len(self._dockerfile.stages) > 1
        stage = f"{self._stage.name or f'stage-{self._stage.index}'} " if several else ""
        width = len(str(self._total))
        text = _ONBUILD.sub("", at.text) if triggered else at.text
        if not isinstance(at, Run):
            with suppress(ExpansionError):
                text = expand(text, self._state.environment, self._dockerfile.escape, keep_undefined=True).text
        line = " ".join(text.split())
        line = line if len(line) <= _ONE_LINE else f"{line[:_ONE_LINE]}…"
        return f"[{stage}{self._position:>{width}}/{self._total}] {'ONBUILD ' if triggered else ''}{line}"


def _proxies(args: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The proxy arguments, each in capitals and in small letters."""
    given = {name.lower(): value for name, value in args.items() if name in PROXY_ARGS and value}
    return tuple((spelt, value) for name, value in sorted(given.items()) for spelt in (name.upper(), name))
