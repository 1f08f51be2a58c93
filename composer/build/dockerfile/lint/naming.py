"""How stages, instructions and comments are written; nothing here depends on a variable."""

from __future__ import annotations

from collections.abc import Iterator

from composer.build.dockerfile.instructions import Arg, Dockerfile, From, Instruction, Maintainer
from composer.build.dockerfile.lint import rules
from composer.build.dockerfile.lint.finding import Finding, found
from composer.build.dockerfile.source import Span

_RESERVED = ("context", "scratch")


def written(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Findings about how the file is written."""
    yield from _continuations(dockerfile)
    yield from _descriptions(dockerfile)
    yield from _stages(dockerfile)
    yield from _casing(dockerfile)
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            if isinstance(instruction, Maintainer):
                label = f'LABEL org.opencontainers.image.authors="{instruction.author}"'
                yield found(rules.MAINTAINER_DEPRECATED, instruction, hint=f"write `{label}`")


def _every(dockerfile: Dockerfile) -> Iterator[Instruction]:
    for stage in dockerfile.stages:
        yield stage.base
        yield from stage.instructions


def _continuations(dockerfile: Dockerfile) -> Iterator[Finding]:
    for line in dockerfile.empty_continuations:
        around = [each for each in _every(dockerfile) if each.span.first <= line <= each.span.last]
        for instruction in around or dockerfile.global_args[:1]:
            rule = rules.NO_EMPTY_CONTINUATION
            yield Finding(rule, rule.message, instruction, span=Span(line, line))


def _stages(dockerfile: Dockerfile) -> Iterator[Finding]:
    seen: set[str] = set()
    for stage in dockerfile.stages:
        base = stage.base
        if stage.name is None:
            continue
        if base.alias != stage.name:
            hint = f"write `{stage.name}`"
            yield found(rules.STAGE_NAME_CASING, base, word=base.alias, hint=hint, name=base.alias)
        if stage.name in _RESERVED:
            yield found(rules.RESERVED_STAGE_NAME, base, word=base.alias, name=stage.name)
        if stage.name in seen:
            yield found(rules.DUPLICATE_STAGE_NAME, base, word=base.alias, name=stage.name)
        seen.add(stage.name)
        yield from _as(base)


def _as(base: From) -> Iterator[Finding]:
    wanted = base.as_keyword
    if base.keyword == base.keyword.lower():
        wanted = wanted.lower()
    elif base.keyword == base.keyword.upper():
        wanted = wanted.upper()
    if wanted != base.as_keyword:
        yield found(
            rules.FROM_AS_CASING,
            base,
            word=f"{base.as_keyword} {base.alias}",
            hint=f"write `{wanted}`",
            as_keyword=base.as_keyword,
            keyword=base.keyword,
        )


def _casing(dockerfile: Dockerfile) -> Iterator[Finding]:
    """What is all lower or all upper case has a vote; a tie goes to upper case."""
    keywords = [instruction.keyword for instruction in _every(dockerfile)]
    lower = sum(keyword == keyword.lower() for keyword in keywords)
    upper = sum(keyword == keyword.upper() for keyword in keywords)
    change, casing = (str.lower, "lowercase") if lower > upper else (str.upper, "uppercase")
    for instruction in _every(dockerfile):
        if (wanted := change(instruction.keyword)) != instruction.keyword:
            yield found(
                rules.CONSISTENT_INSTRUCTION_CASING,
                instruction,
                word=instruction.keyword,
                hint=f"write `{wanted}`",
                keyword=instruction.keyword,
                casing=casing,
            )


def _descriptions(dockerfile: Dockerfile) -> Iterator[Finding]:
    for instruction in (*dockerfile.global_args, *_every(dockerfile)):
        names = _defined(instruction)
        comments = [comment for comment in instruction.comments if not comment.lower().startswith("check=")]
        if names and comments and comments[-1].split(" ")[0] not in names:
            shown = names[0] if len(names) == 1 else "<arg_key>"
            yield found(rules.INVALID_DEFINITION_DESCRIPTION, instruction, instruction=instruction.name, name=shown)


def _defined(instruction: Instruction) -> list[str]:
    if isinstance(instruction, From):
        return [instruction.alias.lower()] if instruction.alias else []
    return [pair.key for pair in instruction.pairs] if isinstance(instruction, Arg) else []
