"""What BuildKit's rules have to say about the Dockerfile of a service, for `compose build --check`."""

from __future__ import annotations

from pathlib import Path

from composer.api.messages import LintFinding
from composer.build.dockerfile.lint.check import LintWarning, check, unknown_rules
from composer.build.dockerfile.parse import parse
from composer.engine.building.describe import arguments
from composer.engine.building.errand import Errand
from composer.engine.building.inputs import Reader, shown_name
from composer.engine.building.platforms import choose_platform
from composer.engine.plan import BuildImage
from composer.errors import BuildError, Diagnostic, ImageError, Location, Severity, UsageError
from composer.ignore import DockerPatterns
from composer.image.store import Store
from composer.oci.config import ImageConfig
from composer.oci.platform import parse_platform, this_platform


def findings(operation: BuildImage, errand: Errand, reader: Reader, images: Store) -> list[LintFinding]:
    """The findings in file order, what would stop a build among them. Blocks.

    Raises:
        UsageError: the Dockerfile is not on this machine.
    """
    build = operation.build
    _, text = reader.dockerfile(operation)
    if text is None:
        raise UsageError(
            f"cannot check `{operation.service}`: its Dockerfile is elsewhere, in `{build.context}`",
            hint="check it out, and check it there",
        )
    here = this_platform()
    try:
        dockerfile = parse(text, shown_name(operation))
        platform = choose_platform(operation.platform, build.platforms)
        wanted = parse_platform(platform) if platform else here
        report = check(
            dockerfile,
            build=here,
            platform=wanted,
            args=arguments(build, errand),
            target=build.target or "",
            contexts=build.additional_contexts,
            config_of=lambda reference: _config(reference, images),
            ignored=_ignored(operation),
        )
        others = (*dockerfile.warnings, *unknown_rules(dockerfile), *report.problems)
    except BuildError as error:
        return [_other(operation.service, each) for each in error.diagnostics]
    severity = Severity.ERROR if report.failed else Severity.WARNING
    found = [_warning(operation.service, each, severity) for each in report.warnings]
    found += [_other(operation.service, each) for each in others]
    return sorted(found, key=lambda each: each.line)


def _config(reference: str, images: Store) -> ImageConfig | None:
    try:
        image = images.find(reference)
    except ImageError:
        return None
    return image.config if image is not None else None


def _ignored(operation: BuildImage) -> DockerPatterns | None:
    """The ignore file that applies, None where there is none or it makes no sense: the build itself says so."""
    build = operation.build
    candidates = [Path(build.context, ".dockerignore")]
    if build.dockerfile:
        candidates.insert(0, Path(build.context, f"{build.dockerfile}.dockerignore"))
    for path in candidates:
        try:
            return DockerPatterns.parse(path.read_text("utf-8", "surrogateescape"))
        except (OSError, ValueError):
            continue
    return None


def _warning(service: str, found: LintWarning, severity: Severity) -> LintFinding:
    rule = found.rule
    return _finding(service, found.location, found.message, found.hint, rule=rule.name, url=rule.url, severity=severity)


def _other(service: str, diagnostic: Diagnostic) -> LintFinding:
    place = diagnostic.location or Location("", 0, 0)
    return _finding(service, place, diagnostic.message, diagnostic.hint, severity=diagnostic.severity)


def _finding(
    service: str, place: Location, message: str, hint: str, *, severity: Severity, rule: str = "", url: str = ""
) -> LintFinding:
    return LintFinding(
        service=service,
        rule=rule,
        message=message,
        severity=severity.value,
        file=place.file,
        line=place.line,
        column=place.column,
        length=place.length,
        source=place.source,
        url=url,
        hint=hint,
    )
