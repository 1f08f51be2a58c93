"""What FROM builds on: its variables, its platform, and the image as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from composer.build.dockerfile.expand import Expanded, ExpansionError, expand
from composer.build.dockerfile.instructions import Dockerfile, Stage
from composer.build.dockerfile.lint import rules
from composer.build.dockerfile.lint.finding import Finding, found
from composer.build.dockerfile.place import as_written
from composer.build.dockerfile.problems import nearest
from composer.build.dockerfile.scope import Globals, global_args
from composer.build.dockerfile.stages import Linked, last_of
from composer.errors import BuildError, ImageError
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform
from composer.oci.platform import parse_platform
from composer.oci.reference import parse

_TARGET = "TARGETPLATFORM"


def from_findings(dockerfile: Dockerfile, known: Globals, predefined: Mapping[str, str]) -> Iterator[Finding]:
    """Findings about every FROM: `known` are the global ARGs of this build, `predefined` those that are always there."""
    yield from _defaults(dockerfile, predefined)
    for stage in dockerfile.stages:
        base = stage.base
        for word in filter(None, (base.image, base.platform)):
            expanded = _expanded(word, known, dockerfile.escape)
            if expanded is not None:
                yield from _undeclared(stage, expanded, known)
        platform = _expanded(base.platform, known, dockerfile.escape)
        if base.platform and platform is not None:
            yield from _platform(stage, platform, known)


def image_findings(linked: Linked, config: ImageConfig, target: Platform) -> Iterator[Finding]:
    """Findings about the image that a stage builds on, whose config is at hand."""
    try:
        expected = parse_platform(linked.platform) if linked.platform else target
    except ImageError:
        return
    actual = Platform(config.architecture, config.os, config.variant)
    if (actual.os, actual.architecture) != (expected.os, expected.architecture):
        yield found(
            rules.INVALID_BASE_IMAGE_PLATFORM,
            linked.stage.base,
            word=linked.stage.base.image,
            image=linked.image,
            expected=str(expected),
            actual=str(actual),
        )


def _expanded(word: str, known: Globals, escape: str) -> Expanded | None:
    try:
        return expand(word, known.values, escape)
    except ExpansionError:
        return None


def _undeclared(stage: Stage, expanded: Expanded, known: Globals) -> Iterator[Finding]:
    for name in sorted(expanded.undefined - known.declared):
        near = nearest(name, sorted(known.declared))
        yield found(
            rules.UNDEFINED_ARG_IN_FROM,
            stage.base,
            word=as_written(stage.base, name),
            hint=f"write `{near}`" if near else f"write `ARG {name}=…` above the first `FROM`",
            name=name,
            suggestion=f" (did you mean {near}?)" if near else "",
        )


def _platform(stage: Stage, expanded: Expanded, known: Globals) -> Iterator[Finding]:
    base = stage.base
    if expanded.used == {_TARGET} and not expanded.undefined and expanded.text == known.values.get(_TARGET):
        yield found(rules.REDUNDANT_TARGET_PLATFORM, base, word=f"--platform={base.platform}", platform=base.platform)
    if expanded.used or expanded.undefined:
        return
    try:
        platform = parse_platform(expanded.text)
    except ImageError:
        return
    name = stage.name or ""
    if platform.os not in name and platform.architecture not in name:
        yield found(
            rules.FROM_PLATFORM_FLAG_CONST_DISALLOWED,
            base,
            word=f"--platform={base.platform}",
            platform=expanded.text,
        )


def _defaults(dockerfile: Dockerfile, predefined: Mapping[str, str]) -> Iterator[Finding]:
    """FROMs that name no image unless build arguments are given."""
    try:
        defaults = global_args(dockerfile, {}, predefined)
    except BuildError:
        return
    for stage in dockerfile.stages:
        expanded = _expanded(stage.base.image, defaults, dockerfile.escape)
        if expanded is None or last_of(dockerfile.stages[: stage.index], expanded.text):
            continue
        try:
            parse(expanded.text)
        except ImageError:
            image = stage.base.image
            yield found(rules.INVALID_DEFAULT_ARG_IN_FROM, stage.base, word=image, image=image)
