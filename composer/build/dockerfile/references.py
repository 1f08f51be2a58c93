"""What a build will ask the world for: base images, images copied or mounted from, URLs, git repositories.

A pure answer, before anything is fetched: a lock file pins what stands here, a build resolves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from composer.build.dockerfile.instructions import Add, Arg, Copy, Env, Instruction, Stage
from composer.build.dockerfile.scope import arg_value
from composer.build.dockerfile.source import Span
from composer.build.dockerfile.sources import is_git, is_remote
from composer.build.dockerfile.stages import SCRATCH, Stages, sources_of
from composer.build.dockerfile.substitute import substituted


class ReferenceKind(StrEnum):
    """Where an image is named."""

    FROM = "FROM"
    COPY = "COPY --from"
    MOUNT = "RUN --mount=from"


@dataclass(frozen=True, slots=True)
class BaseReference:
    """An image that a build needs."""

    reference: str
    """As written, its variables replaced."""
    platform: str
    """Of FROM's `--platform`, variables replaced; empty for the platform that is built for."""
    span: Span
    kind: ReferenceKind
    stage: int


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A URL or git repository that an ADD fetches."""

    url: str
    checksum: str
    """Of `--checksum`: `sha256:…`, or a commit; empty if there is none."""
    is_git: bool
    span: Span
    stage: int


def references(stages: Stages, target: str = "") -> tuple[BaseReference, ...]:
    """The images that the target's stages need, in file order, without `scratch` and without contexts.

    What an image's ONBUILD asks for is not known here. Raises BuildError: no such target, an impossible `--from`.
    """
    found: list[BaseReference] = []
    for stage in stages.reachable(target):
        linked = stages.linked[stage.index]
        no_image = _is_no_image(stages, linked.image) or stages.is_context(stage.name or "")
        if linked.base is None and not no_image:
            found.append(_reference(linked.image, linked.platform, stage.base, ReferenceKind.FROM, stage))
        for instruction in stages.instructions(stage):
            kind = ReferenceKind.COPY if isinstance(instruction, Copy) else ReferenceKind.MOUNT
            found += (
                _reference(name, "", instruction, kind, stage)
                for name in sources_of(instruction)
                if stages.source(stage, instruction, name) is None and not _is_no_image(stages, name)
            )
    return tuple(found)


def remote_sources(stages: Stages, args: Mapping[str, str], target: str = "") -> tuple[RemoteSource, ...]:
    """What the ADDs of the target's stages fetch, in file order; variables of base images count as undefined.

    Raises BuildError as `references` does.
    """
    found: list[RemoteSource] = []
    environments: dict[int, dict[str, str]] = {}
    for stage in stages.reachable(target):
        base = stages.linked[stage.index].base
        env = dict(environments[base.index]) if base else {}
        for instruction in stages.instructions(stage):
            found += _remote(stages, stage, instruction, env)
            _note(stages, instruction, args, env)
        environments[stage.index] = env
    return tuple(found)


def _reference(name: str, platform: str, at: Instruction, kind: ReferenceKind, stage: Stage) -> BaseReference:
    return BaseReference(name, platform, at.span, kind, stage.index)


def _is_no_image(stages: Stages, name: str) -> bool:
    return name == SCRATCH or stages.is_context(name)


def _remote(stages: Stages, stage: Stage, instruction: Instruction, env: Mapping[str, str]) -> Iterator[RemoteSource]:
    if not isinstance(instruction, Add):
        return
    try:
        add = substituted(instruction, env, stages.dockerfile.escape).instruction
    except ValueError:
        return  # the build itself will say what is wrong with it
    if isinstance(add, Add):
        for source in filter(is_remote, add.sources):
            yield RemoteSource(source, add.checksum, is_git(source), add.span, stage.index)


def _note(stages: Stages, instruction: Instruction, args: Mapping[str, str], env: dict[str, str]) -> None:
    """Let ARG and ENV have their effect."""
    escape = stages.dockerfile.escape
    try:
        if isinstance(instruction, Arg):
            for pair in instruction.pairs:
                value = arg_value(pair, args, stages.globals.values, env, escape)
                env |= {pair.key: value} if value is not None else {}
        elif isinstance(instruction, Env):
            result = substituted(instruction, env, escape).instruction
            if isinstance(result, Env):
                env |= {pair.key: pair.value or "" for pair in result.pairs}
    except ValueError:
        return
