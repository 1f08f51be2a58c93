"""All rules over one file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from composer.build.dockerfile.instructions import Dockerfile, Stage
from composer.build.dockerfile.lint.bases import from_findings, image_findings
from composer.build.dockerfile.lint.finding import Finding
from composer.build.dockerfile.lint.naming import written
from composer.build.dockerfile.lint.options import ARGUMENT, CheckOptions, options_above, read_options
from composer.build.dockerfile.lint.rules import RULES, Rule
from composer.build.dockerfile.lint.walk import StageState, Walk
from composer.build.dockerfile.place import place_of
from composer.build.dockerfile.problems import did_you_mean
from composer.build.dockerfile.scope import global_args, predefined
from composer.build.dockerfile.source import Span
from composer.build.dockerfile.stages import SCRATCH, Stages, link
from composer.errors import BuildError, Diagnostic, Location, Severity
from composer.ignore import DockerPatterns
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform

_EMPTY = ImageConfig("", "")


def _unknown(reference: str) -> ImageConfig | None:
    return None


@dataclass(frozen=True, slots=True)
class LintWarning:
    """One finding, as it is told."""

    rule: Rule
    message: str
    span: Span
    location: Location
    hint: str

    def diagnostic(self, severity: Severity = Severity.WARNING) -> Diagnostic:
        """The finding among other things to tell about a file."""
        return Diagnostic(severity, f"{self.rule.name}: {self.message}", self.location, hint=self.hint)


@dataclass(frozen=True, slots=True)
class LintReport:
    """Everything found in a file."""

    warnings: tuple[LintWarning, ...]
    """By line, then by message."""
    problems: tuple[Diagnostic, ...] = ()
    """What would stop a build; the rules that come after it have not been asked."""
    failed: bool = False
    """Whether `error=true` makes the warnings a failure."""


def check(
    dockerfile: Dockerfile,
    *,
    build: Platform,
    platform: Platform,
    args: Mapping[str, str] | None = None,
    target: str = "",
    contexts: Collection[str] = (),
    config_of: Callable[[str], ImageConfig | None] = _unknown,
    ignored: DockerPatterns | None = None,
) -> LintReport:
    """What BuildKit's rules find: in all stages, or in those that `target` needs.

    `config_of` gives the config of a base image by its name, if it is at hand; `ignored` is the context's ignore file, if
    it has one.

    Raises:
        BuildError: the file's `check` directive, or the build argument in its place, makes no sense.
    """
    args = args or {}
    options = _options(dockerfile, args)
    known = predefined(build, platform, target, args)
    findings = list(written(dockerfile))
    problems: list[Diagnostic] = []
    try:
        findings += from_findings(dockerfile, global_args(dockerfile, args, known), known)
        stages = link(dockerfile, args=args, build=build, platform=platform, target=target, contexts=contexts)
        _walk(stages, args, target, platform, config_of, ignored, findings, problems)
    except BuildError as error:
        problems += error.diagnostics
    wanted = (
        _warning(dockerfile, finding)
        for finding in findings
        if options.merged(options_above(finding.instruction.comments)).wants(finding.rule)
    )
    warnings = sorted(dict.fromkeys(wanted), key=lambda warning: (warning.span, warning.message))
    return LintReport(tuple(warnings), tuple(problems), bool(options.error and warnings))


def _walk(
    stages: Stages,
    args: Mapping[str, str],
    target: str,
    platform: Platform,
    config_of: Callable[[str], ImageConfig | None],
    ignored: DockerPatterns | None,
    findings: list[Finding],
    problems: list[Diagnostic],
) -> None:
    dockerfile = stages.dockerfile
    wanted = stages.reachable(target) if target else dockerfile.stages
    states: dict[int, StageState] = {}
    for stage in wanted:
        linked = stages.linked[stage.index]
        if linked.base is not None:
            state = states[linked.base.index].inherited()
        else:
            config = _EMPTY if linked.image == SCRATCH else config_of(linked.image)
            state = StageState.of_image(config)
            if config is not None and config is not _EMPTY:
                findings += image_findings(linked, config, platform)
        states[stage.index] = state
        walk = Walk(dockerfile.source, dockerfile.escape, state, args, stages.globals.values, ignored)
        for instruction in stages.instructions(stage):
            findings += walk.take(instruction)
        problems += walk.problems
        problems += _impossible(stages, stage)


def _impossible(stages: Stages, stage: Stage) -> Iterator[Diagnostic]:
    try:
        for _ in stages.needed_by(stage):
            pass
    except BuildError as error:
        yield from error.diagnostics


def _warning(dockerfile: Dockerfile, finding: Finding) -> LintWarning:
    source, instruction = dockerfile.source, finding.instruction
    span = finding.span or instruction.span
    place = source.location(span.first) if finding.span else place_of(source, instruction, finding.word)
    return LintWarning(finding.rule, finding.message, span, place, finding.hint or finding.rule.hint)


def _options(dockerfile: Dockerfile, args: Mapping[str, str]) -> CheckOptions:
    said = args.get(ARGUMENT)
    try:
        return read_options(dockerfile.directives.check if said is None else said)
    except ValueError as error:
        line = dockerfile.directives.lines.get("check", 0)
        place = dockerfile.source.location(line) if said is None and line else None
        hint = "write for instance `skip=JSONArgsRecommended;error=true`"
        where = "" if place else f"build argument `{ARGUMENT}`: "
        raise BuildError([Diagnostic(Severity.ERROR, f"{where}{error}", place, hint=hint)]) from None


def unknown_rules(dockerfile: Dockerfile) -> tuple[Diagnostic, ...]:
    """Warnings about names in the file's `check` directive that are no rule's; BuildKit passes over them in silence."""
    options = _options(dockerfile, {})
    line = dockerfile.directives.lines.get("check", 0)
    names = sorted((options.skip | options.experimental) - {*RULES, "all", ""})
    text = dockerfile.source.lines[line - 1] if line else ""
    return tuple(
        Diagnostic(
            Severity.WARNING,
            f"there is no rule `{name}`",
            dockerfile.source.location(line, text.find(name) + 1, len(name)),
            hint=did_you_mean(name, RULES),
        )
        for name in names
    )
