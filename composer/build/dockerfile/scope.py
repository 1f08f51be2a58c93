"""What variables are worth where: ARGs above the first FROM, ARG and ENV within a stage, and those that are predefined.

* Global ARGs are seen by FROM only; an `ARG NAME` within a stage takes the global value over.
* `--build-arg` wins over a default, never makes a variable that no ARG declares.
* ARG and ENV write into one environment, the later one wins there; only ENV goes into the image.
* The platform's variables are global ARGs. Those of proxies need no ARG, and are in no history and no cache key.

<https://docs.docker.com/reference/dockerfile/#scope>
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from composer.build.dockerfile.expand import ExpansionError, expand
from composer.build.dockerfile.instructions import Arg, Dockerfile, Pair
from composer.build.dockerfile.place import problem_at
from composer.errors import BuildError, Diagnostic
from composer.oci.descriptor import Platform

PROXY_ARGS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)


def predefined(
    build: Platform, target: Platform, stage: str = "", args: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The global ARGs that are always there; `args` may override them. `stage` is the target's name."""
    values = {
        "BUILDPLATFORM": str(build),
        "BUILDOS": build.os,
        "BUILDARCH": build.architecture,
        "BUILDVARIANT": build.variant,
        "TARGETPLATFORM": str(target),
        "TARGETOS": target.os,
        "TARGETARCH": target.architecture,
        "TARGETVARIANT": target.variant,
        "TARGETSTAGE": stage or "default",
    }
    return values | {name: value for name, value in (args or {}).items() if name in values}


@dataclass(slots=True)
class Globals:
    """The global ARGs of a file."""

    values: dict[str, str]
    declared: set[str] = field(default_factory=set)
    """Also those without a value."""


def global_args(dockerfile: Dockerfile, args: Mapping[str, str], known: Mapping[str, str]) -> Globals:
    """The values that FROM sees: `known` (see `predefined`), then the ARGs above the first FROM.

    Raises:
        BuildError: a default cannot be expanded.
    """
    result = Globals(dict(known), set(known))
    problems: list[Diagnostic] = []
    for instruction in dockerfile.global_args:
        for pair in instruction.pairs:
            result.declared.add(pair.key)
            try:
                value = arg_value(pair, args, {}, result.values, dockerfile.escape)
            except ExpansionError as error:
                problems.append(problem_at(dockerfile.source, instruction, str(error), f"{pair.key}="))
                continue
            if value is not None:
                result.values[pair.key] = value
    if problems:
        raise BuildError(problems)
    return result


def arg_value(
    pair: Pair, args: Mapping[str, str], inherited: Mapping[str, str], env: Mapping[str, str], escape: str
) -> str | None:
    """What one name of an ARG is worth: the build argument, else its default expanded with `env`, else the global value.

    Raises:
        ExpansionError: the default cannot be expanded.
    """
    if pair.key in args:
        return args[pair.key]
    if pair.value is None:
        return inherited.get(pair.key)
    return expand(pair.value, env, escape).text


def declared_args(dockerfile: Dockerfile) -> set[str]:
    """Every name that some ARG declares."""
    declared = {pair.key for arg in dockerfile.global_args for pair in arg.pairs}
    for stage in dockerfile.stages:
        declared |= {pair.key for arg in stage.instructions if isinstance(arg, Arg) for pair in arg.pairs}
    return declared


def unused_args(dockerfile: Dockerfile, args: Iterable[str]) -> list[str]:
    """The build arguments that no ARG declares and that mean nothing by themselves, sorted."""
    declared = declared_args(dockerfile)
    return sorted(
        name
        for name in args
        if name not in declared | PROXY_ARGS and not name.startswith(("BUILDKIT_", "SOURCE_DATE_"))
    )
