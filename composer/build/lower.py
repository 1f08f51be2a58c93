"""From a Dockerfile to a graph of operations and the configuration that its image will have. Pure.

Stages are lowered when something needs them, so the graph holds nothing else. Images must be known for that: their
environment, user and ONBUILD triggers are part of the stages built on them. What is not known yet is told (`Wanted`), and
the caller asks again once it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from composer.build.dockerfile.instructions import Copy, Instruction, Stage
from composer.build.dockerfile.parse import parse_trigger
from composer.build.dockerfile.place import problem_at
from composer.build.dockerfile.source import Span
from composer.build.dockerfile.stages import SCRATCH, Stages, context_name
from composer.build.operations import (
    BaseOperation,
    CopyOperation,
    Graph,
    LayerOperation,
    Part,
    Source,
    SourceKind,
    Vertex,
    VertexId,
)
from composer.build.options import BuildOptions
from composer.build.stage import StageState
from composer.build.steps import StageLowering
from composer.errors import BuildError
from composer.image.image import Image
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform

IMAGE_CONTEXTS = ("docker-image://", "oci-layout://")


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


Obstacle = Callable[[str], tuple[str, str] | None]
"""Why programs for a platform cannot be run, and what to try; None where they can."""


def lower(
    stages: Stages,
    options: BuildOptions,
    platform: Platform,
    images: Images,
    obstacle: Obstacle = lambda _: None,
) -> Graph | tuple[Wanted, ...]:
    """The graph of the target, or the images that must be known first.

    Raises:
        BuildError: an instruction means nothing, asks for what this build is not entitled to, or needs programs to run
            that do not run here.
    """
    return _Lowering(stages, options, platform, images, obstacle).graph()


class _Lowering:
    def __init__(
        self, stages: Stages, options: BuildOptions, platform: Platform, images: Images, obstacle: Obstacle
    ) -> None:
        self._stages = stages
        self._options = options
        self._platform = platform
        self._images = images
        self._obstacle = obstacle
        self._vertices: list[Vertex] = []
        self._states: dict[int, StageState] = {}
        self._bases: dict[tuple[str, str], VertexId] = {}
        self._wanted: list[Wanted] = []
        self.warnings: list[str] = []
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
        return Graph(tuple(self._vertices), state.top, config, tuple(state.changes), self._epoch, tuple(self.warnings))

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
            self._states[stage.index] = StageLowering(self, stage).lowered()
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
        return self.add_step(title, operation, self.scratch(), span, title)

    def stage_source(self, stage: Stage, instruction: Instruction, name: str) -> Source:
        """What `--from=name` means."""
        found = self._stages.source(stage, instruction, name)
        if found is not None:
            return Source(SourceKind.STAGE, vertex=self._state(found).top)
        context = self._context(name)
        if context is not None and not context.startswith(IMAGE_CONTEXTS) and isinstance(instruction, Copy):
            return Source(SourceKind.CONTEXT, name)
        return Source(SourceKind.STAGE, vertex=self.tree(name, "", instruction)[0])

    def obstacle(self, stage: Stage) -> tuple[str, str] | None:
        """Why a stage's programs cannot be run here, and what to try; None where they can."""
        linked = self._stages.linked[stage.index]
        while linked.base is not None:
            linked = self._stages.linked[linked.base.index]
        return self._obstacle(linked.platform or str(self._platform))

    def add_step(
        self, name: str, operation: LayerOperation, base: VertexId, span: Span, place: str, *, fresh: bool = False
    ) -> VertexId:
        """See `steps.Whole.add_step`."""
        return self._add(Vertex(len(self._vertices), name, operation, base, span, place, fresh))

    def _add(self, vertex: Vertex) -> VertexId:
        self._vertices.append(vertex)
        return vertex.id

    def _base(self, reference: str, platform: str, image: Image | None, span: Span | None) -> VertexId:
        key = (reference, platform)
        if key not in self._bases:
            vertex = Vertex(len(self._vertices), f"FROM {reference}", BaseOperation(image), span=span)
            self._bases[key] = self._add(vertex)
        return self._bases[key]

    def _empty_config(self) -> ImageConfig:
        one = self._platform
        return ImageConfig(one.architecture, one.os, variant=one.variant, working_dir="/")

    @property
    def options(self) -> BuildOptions:
        """What is asked for."""
        return self._options

    @property
    def stages(self) -> Stages:
        """The file, with its variables."""
        return self._stages
