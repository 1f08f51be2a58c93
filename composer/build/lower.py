"""From a Dockerfile to a graph of operations and the configuration that its image will have. Pure.

Stages are lowered when something needs them, so the graph holds nothing else. Images must be known for that: their
environment, user and ONBUILD triggers are part of the stages built on them. What is not known yet is told (`Wanted`), and
the caller asks again once it is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from composer.build import history
from composer.build.dockerfile.expand import ExpansionError, expand
from composer.build.dockerfile.instructions import Add, Arg, Copy, Instruction, Run, ShellForm, Stage, Workdir
from composer.build.dockerfile.mount import Mount
from composer.build.dockerfile.parse import parse_trigger
from composer.build.dockerfile.place import problem_at
from composer.build.dockerfile.scope import PROXY_ARGS, arg_value
from composer.build.dockerfile.source import Span
from composer.build.dockerfile.sources import is_remote
from composer.build.dockerfile.stages import SCRATCH, Stages, context_name
from composer.build.dockerfile.substitute import Substituted, substituted
from composer.build.dockerfile.values import UnfitError
from composer.build.mounts import AGENT_VARIABLE, run_mounts
from composer.build.operations import (
    BaseOperation,
    CopyOperation,
    Graph,
    MountKind,
    Operation,
    Part,
    RunOperation,
    Source,
    SourceKind,
    Vertex,
    VertexId,
    WorkdirOperation,
)
from composer.build.options import HOST_NETWORK, INSECURE, BuildOptions
from composer.build.stage import StageState
from composer.errors import BuildError
from composer.image.image import Image
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform

IMAGE_CONTEXTS = ("docker-image://", "oci-layout://")
_ONE_LINE = 200
_ONBUILD = re.compile(r"ONBUILD\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image that must be known before a Dockerfile can be lowered."""

    reference: str
    """As written, or with the scheme of the context that it is."""
    platform: str
    """Empty is the platform that is built for."""
    span: Span


Images = Mapping[tuple[str, str], Image]
"""What is known, by reference and platform."""


def lower(stages: Stages, options: BuildOptions, platform: Platform, images: Images) -> Graph | tuple[Wanted, ...]:
    """The graph of the target, or the images that must be known first.

    Raises:
        BuildError: an instruction means nothing, or asks for what this build is not entitled to.
    """
    return _Lowering(stages, options, platform, images).graph()


class _Lowering:
    def __init__(self, stages: Stages, options: BuildOptions, platform: Platform, images: Images) -> None:
        self._stages = stages
        self._options = options
        self._platform = platform
        self._images = images
        self._vertices: list[Vertex] = []
        self._states: dict[int, StageState] = {}
        self._bases: dict[tuple[str, str], VertexId] = {}
        self._wanted: list[Wanted] = []
        self._epoch = self._source_date_epoch()

    def graph(self) -> Graph | tuple[Wanted, ...]:
        """See `lower`."""
        state = self._state(self._stages.target(self._options.target))
        if self._wanted:
            return tuple(self._wanted)
        config = replace(state.config, labels={**state.config.labels, **self._options.labels})
        if self._options.platform:
            one = self._platform
            config = replace(config, architecture=one.architecture, os=one.os, variant=one.variant)
        return Graph(tuple(self._vertices), state.top, config, tuple(state.changes), self._epoch)

    def _source_date_epoch(self) -> int | None:
        text = self._options.args.get("SOURCE_DATE_EPOCH", self._stages.globals.values.get("SOURCE_DATE_EPOCH", ""))
        if not text:
            return None
        if not text.isdecimal() or len(text) > 12:
            line = self._stages.dockerfile.stages[0].base
            message = f"SOURCE_DATE_EPOCH is a number of seconds, not `{text[:40]}`"
            raise BuildError([problem_at(self._stages.dockerfile.source, line, message)])
        return int(text)

    # -- stages --------------------------------------------------------------------------------------------------

    def _state(self, stage: Stage) -> StageState:
        """The stage after its last instruction."""
        if stage.index not in self._states:
            self._states[stage.index] = _StageLowering(self, stage).lowered()
        return self._states[stage.index]

    def begin(self, stage: Stage) -> tuple[StageState, tuple[Instruction, ...]]:
        """A stage before its first instruction, and the triggers that its base has for it."""
        linked = self._stages.linked[stage.index]
        name = stage.name if stage.name and self._stages.is_context(stage.name) else linked.image
        if linked.base is not None:
            return self._state(linked.base).child(), ()
        if name == SCRATCH and not self._stages.is_context(name):
            return StageState.upon(self.scratch(), self._empty_config()), ()
        vertex, config = self.tree(name, linked.platform, stage.base)
        triggers = tuple(
            replace(parse_trigger(expression, name), text=expression, span=stage.base.span)
            for expression in config.on_build
        )
        return StageState.upon(vertex, config), triggers

    def scratch(self) -> VertexId:
        """The empty root file system."""
        return self._base(SCRATCH, "", None, None)

    def tree(self, name: str, platform: str, at: Instruction) -> tuple[VertexId, ImageConfig]:
        """The root file system that an image or a context is, and its configuration."""
        context = self._context(name)
        if context is not None and not context.startswith(IMAGE_CONTEXTS):
            return self.context(name, ".", f"[context {name}]", at.span), self._empty_config()
        reference = context or name
        if reference == SCRATCH:
            return self.scratch(), self._empty_config()
        image = self._images.get((reference, platform))
        if image is None:
            wanted = Wanted(reference, platform, at.span)
            if all((one.reference, one.platform) != (reference, platform) for one in self._wanted):
                self._wanted.append(wanted)
            return self.scratch(), self._empty_config()
        return self._base(reference, platform, image, at.span), image.config

    def _context(self, name: str) -> str | None:
        known = {context_name(key): value for key, value in self._options.contexts.items()}
        return known.get(context_name(name))

    def context(self, name: str, path: str, title: str, span: Span) -> VertexId:
        """A root file system that holds `path` of a context, where it is there."""
        source = Source(SourceKind.CONTEXT, name)
        operation = CopyOperation((Part(source, (path,)),), "/", parents=path != ".")
        return self.add(title, operation, self.scratch(), span)

    def stage_source(self, stage: Stage, instruction: Instruction, name: str) -> Source:
        """What `--from=name` means."""
        found = self._stages.source(stage, instruction, name)
        if found is not None:
            return Source(SourceKind.STAGE, vertex=self._state(found).top)
        context = self._context(name)
        if context is not None and not context.startswith(IMAGE_CONTEXTS) and isinstance(instruction, Copy):
            return Source(SourceKind.CONTEXT, name)
        return Source(SourceKind.STAGE, vertex=self.tree(name, "", instruction)[0])

    def add(
        self,
        name: str,
        operation: Operation,
        base: VertexId,
        span: Span | None = None,
        place: str = "",
        *,
        fresh: bool = False,
    ) -> VertexId:
        """A new vertex."""
        self._vertices.append(Vertex(len(self._vertices), name, operation, base, span, place or name, fresh))
        return len(self._vertices) - 1

    def _base(self, reference: str, platform: str, image: Image | None, span: Span | None) -> VertexId:
        key = (reference, platform)
        if key not in self._bases:
            self._bases[key] = self.add(f"FROM {reference}", BaseOperation(image), -1, span)
        return self._bases[key]

    def _empty_config(self) -> ImageConfig:
        one = self._platform
        return ImageConfig(one.architecture, one.os, variant=one.variant, working_dir="/")

    @property
    def options(self) -> BuildOptions:
        return self._options

    @property
    def stages(self) -> Stages:
        return self._stages


class _StageLowering:
    """One stage, instruction by instruction."""

    def __init__(self, whole: _Lowering, stage: Stage) -> None:
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
        if run.devices:
            raise ValueError(
                f"cannot give the device `{run.devices[0].name}` to a step: devices of builds are not supported"
            )
        self._add(operation, history.run(argv, state.arguments), written, triggered)

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

    def _add(
        self, operation: CopyOperation | RunOperation | WorkdirOperation, said: str, at: Instruction, triggered: bool
    ) -> None:
        name = self._name(at, triggered)
        place = f"{self._stage.title}/{self._position}"
        vertex = self._whole.add(name, operation, self._state.top, at.span, place, fresh=self._fresh)
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
