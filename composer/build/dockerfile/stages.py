"""How stages hang together: what each builds on and copies from, and which of them a target needs.

A name means the last stage of that name that stands before; case does not count, and a number counts the FROMs from 0. What
is no stage is a context that was passed along with the build, or an image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from composer.build.dockerfile.expand import ExpansionError, expand
from composer.build.dockerfile.instructions import Copy, Dockerfile, Instruction, Onbuild, Run, Stage
from composer.build.dockerfile.place import problem_at
from composer.build.dockerfile.problems import did_you_mean, listing
from composer.build.dockerfile.scope import Globals, global_args, predefined
from composer.errors import BuildError, Diagnostic, ImageError, Severity
from composer.oci.descriptor import Platform
from composer.oci.platform import parse_platform
from composer.oci.reference import parse

SCRATCH = "scratch"
_PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Linked:
    """A stage whose FROM has its variables replaced."""

    stage: Stage
    image: str
    platform: str
    """Empty where FROM says none."""
    base: Stage | None
    """The stage it builds on; None for an image, a context or `scratch`."""


@dataclass(frozen=True, slots=True)
class Stages:
    """All stages of a file with the variables of one build."""

    dockerfile: Dockerfile
    globals: Globals
    linked: tuple[Linked, ...]
    contexts: frozenset[str]
    """What means a context where it could mean a stage or an image, each as `context_name` has it."""

    def target(self, name: str = "") -> Stage:
        """The stage to build: the last one, or by name or number. Raises BuildError, with the names there are."""
        stages = self.dockerfile.stages
        if not name:
            return stages[-1]
        found = self._last_of(name, len(stages)) or (_by_number(stages, name) if name.isdecimal() else None)
        if found is None:
            names = [stage.name for stage in stages if stage.name]
            hint = did_you_mean(name, names) or (f"the file has {listing(names)}" if names else "no stage has a name")
            message = f"target stage `{name}` could not be found in {self.dockerfile.source.filename}"
            raise BuildError([Diagnostic(Severity.ERROR, message, hint=hint)])
        return found

    def source(self, stage: Stage, instruction: Instruction, name: str) -> Stage | None:
        """The stage that `--from=name` in `stage` means; None for a context or an image. Raises BuildError."""
        if self.is_context(name):
            return None
        stages = self.dockerfile.stages
        if isinstance(instruction, Copy) and name.isdecimal():
            found = _by_number(stages, name)
            if found is None:
                hint = f"the file has the stages 0 to {len(stages) - 1}"
                raise self._wrong(instruction, f"invalid stage index {name}", name, hint)
        else:
            found = self._last_of(name, stage.index) or self._last_of(name, len(stages))
        if found is not None and found.index >= stage.index:
            why = "itself" if found is stage else f"stage `{found.title}`"
            hint = f"it needs to be defined before the stage `{stage.title}`"
            raise self._wrong(instruction, f"cannot copy from {why}", name, hint)
        return found

    def needed_by(self, stage: Stage) -> Iterator[Stage]:
        """The stages that `stage` builds on or takes from, in order; some perhaps twice. Raises BuildError."""
        if (base := self.linked[stage.index].base) is not None:
            yield base
        for instruction in self.instructions(stage):
            for name in sources_of(instruction):
                if (found := self.source(stage, instruction, name)) is not None:
                    yield found

    def is_context(self, name: str) -> bool:
        """Whether the name of a stage or an image means a context."""
        return bool(self.contexts) and context_name(name) in self.contexts

    def instructions(self, stage: Stage) -> Iterator[Instruction]:
        """The stage's own instructions, after those that the stage it builds on has left it with ONBUILD.

        None where a context stands in for the stage.
        """
        if stage.name and self.is_context(stage.name):
            return
        if (base := self.linked[stage.index].base) is not None:
            yield from (each.instruction for each in base.instructions if isinstance(each, Onbuild))
        yield from stage.instructions

    def reachable(self, target: str = "") -> tuple[Stage, ...]:
        """The stages that the target needs, itself included, in file order. Raises BuildError."""
        waiting = [self.target(target)]
        found: dict[int, Stage] = {}
        while waiting:
            stage = waiting.pop()
            if stage.index not in found:
                found[stage.index] = stage
                waiting += self.needed_by(stage)
        return tuple(found[index] for index in sorted(found))

    def _last_of(self, name: str, before: int) -> Stage | None:
        return last_of(self.dockerfile.stages[:before], name)

    def _wrong(self, instruction: Instruction, message: str, name: str, hint: str) -> BuildError:
        return BuildError([problem_at(self.dockerfile.source, instruction, message, f"from={name}", hint)])


def last_of(stages: tuple[Stage, ...], name: str) -> Stage | None:
    """The last of the stages that has this name."""
    return next((stage for stage in reversed(stages) if stage.name == name.lower()), None)


def context_name(name: str) -> str:
    """What a context is known by: as short as an image's name can be, without `:latest`, in lower case."""
    try:
        return parse(name.lower()).familiar()
    except ImageError:
        return name.lower()


def sources_of(instruction: Instruction) -> Iterator[str]:
    """What an instruction takes from: the value of COPY's `--from`, the `from` of a RUN's mounts."""
    if isinstance(instruction, Copy) and instruction.source_stage:
        yield instruction.source_stage
    if isinstance(instruction, Run):
        yield from (mount.source_stage for mount in instruction.mounts if mount.source_stage)


def link(
    dockerfile: Dockerfile,
    *,
    args: Mapping[str, str],
    build: Platform,
    platform: Platform,
    target: str = "",
    contexts: Collection[str] = (),
) -> Stages:
    """The stages with the variables of one build: build arguments, the platforms built on and for, named contexts.

    Raises:
        BuildError: a FROM whose variables make no sense; all of them.
    """
    names = frozenset(map(context_name, contexts))
    known_context = Stages(dockerfile, Globals({}), (), names).is_context
    title = target or dockerfile.stages[-1].name or ""
    known = global_args(dockerfile, args, predefined(build, platform, title, args))
    problems: list[Diagnostic] = []
    linked: list[Linked] = []
    for stage in dockerfile.stages:
        base = stage.base
        image = _from_word(dockerfile, stage, base.image, "base name", known, problems)
        wanted = _from_word(dockerfile, stage, base.platform, _PLATFORM, known, problems) if base.platform else ""
        is_context = known_context(image) or known_context(stage.name or "")
        earlier = None if is_context else last_of(dockerfile.stages[: stage.index], image)
        linked.append(Linked(stage, image, wanted, earlier))
    if problems:
        raise BuildError(problems)
    return Stages(dockerfile, known, tuple(linked), names)


def _from_word(
    dockerfile: Dockerfile, stage: Stage, word: str, what: str, known: Globals, problems: list[Diagnostic]
) -> str:
    try:
        expanded = expand(word, known.values, dockerfile.escape)
    except ExpansionError as error:
        problems.append(problem_at(dockerfile.source, stage.base, str(error), word))
        return word
    why = _why_not(expanded.text, word, what, dockerfile.stages[: stage.index])
    if why:
        hint = _missing(sorted(expanded.undefined - known.declared), known.declared)
        problems.append(problem_at(dockerfile.source, stage.base, why, word, hint))
    return expanded.text


def _why_not(text: str, word: str, what: str, before: tuple[Stage, ...]) -> str:
    """Why `text` can be no image or no platform; empty if it can."""
    if not text:
        return f"{what} (`{word}`) should not be blank"
    try:
        if what == _PLATFORM:
            parse_platform(text)
        elif text.lower() not in (SCRATCH, *(stage.name for stage in before)):
            parse(text)
    except ImageError as error:
        return error.message
    return ""


def _missing(names: list[str], declared: Collection[str]) -> str:
    if not names:
        return ""
    above = f"write `ARG {names[0]}=…` above the first `FROM`, or pass the build argument `{names[0]}`"
    return did_you_mean(names[0], declared) or above


def _by_number(stages: tuple[Stage, ...], number: str) -> Stage | None:
    index = int(number[:9])
    return stages[index] if index < len(stages) else None
