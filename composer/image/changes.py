"""Dockerfile instructions applied to an image's configuration, as `docker import --change` takes them.

`CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL STOPSIGNAL USER VOLUME WORKDIR`
<https://docs.docker.com/reference/cli/docker/image/import/>, written as in a Dockerfile
<https://docs.docker.com/reference/dockerfile/>.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from composer.errors import UsageError
from composer.oci.config import Healthcheck, ImageConfig

_SHELL = ("/bin/sh", "-c")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PORT = re.compile(r"\d{1,5}(?:-\d{1,5})?(?:/(?:tcp|udp|sctp))?")


def apply_changes(config: ImageConfig, changes: Sequence[str]) -> ImageConfig:
    """`config` after the instructions in `changes`. Raises UsageError naming the one that is wrong."""
    for change in changes:
        word, _, rest = change.strip().partition(" ")
        instruction = _INSTRUCTIONS.get(word.upper())
        if instruction is None:
            raise UsageError(
                f"cannot apply change `{change}`: `{word}` is no instruction that changes a configuration",
                hint=f"use one of {', '.join(_INSTRUCTIONS)}",
            )
        try:
            config = instruction(config, rest.strip())
        except ValueError as error:
            raise UsageError(f"cannot apply change `{change}`: {error}") from error
    return config


def _cmd(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, cmd=_command(rest))


def _entrypoint(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, entrypoint=_command(rest))


def _env(config: ImageConfig, rest: str) -> ImageConfig:
    variables = dict(item.partition("=")[::2] for item in config.env)
    variables |= _assignments(rest)
    return replace(config, env=tuple(f"{name}={value}" for name, value in variables.items()))


def _label(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, labels={**config.labels, **_assignments(rest)})


def _expose(config: ImageConfig, rest: str) -> ImageConfig:
    ports = []
    for port in rest.split():
        if not _PORT.fullmatch(port.lower()):
            raise ValueError(f"`{port}` is no port such as `80` or `53/udp`")
        ports.append(port.lower() if "/" in port else f"{port}/tcp")
    return replace(config, exposed_ports=tuple(sorted({*config.exposed_ports, *_some(ports)})))


def _volume(config: ImageConfig, rest: str) -> ImageConfig:
    paths = _json_list(rest) or rest.split()
    return replace(config, volumes=tuple(sorted({*config.volumes, *_some(paths)})))


def _user(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, user=_one(rest))


def _workdir(config: ImageConfig, rest: str) -> ImageConfig:
    # A relative directory is below the one before, as in a Dockerfile.
    return replace(config, working_dir=str(PurePosixPath(config.working_dir or "/", _one(rest))))


def _stop_signal(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, stop_signal=_one(rest))


def _healthcheck(config: ImageConfig, rest: str) -> ImageConfig:
    options, command = {}, rest
    while command.startswith("--"):
        option, _, command = command.partition(" ")
        name, equals, value = option[2:].partition("=")
        if not equals or name not in ("interval", "timeout", "start-period", "start-interval", "retries"):
            raise ValueError(f"`{option}` is no option of HEALTHCHECK")
        options[name], command = value, command.lstrip()
    word, _, test = command.partition(" ")
    if word.upper() == "NONE" and not test and not options:
        return replace(config, healthcheck=Healthcheck(("NONE",)))
    if word.upper() != "CMD":
        raise ValueError("expected `HEALTHCHECK [options] CMD command` or `HEALTHCHECK NONE`")
    listed = _json_list(test.strip())
    healthcheck = Healthcheck(
        test=("CMD", *listed) if listed else ("CMD-SHELL", _one(test)),
        interval_seconds=_duration(options.get("interval")),
        timeout_seconds=_duration(options.get("timeout")),
        start_period_seconds=_duration(options.get("start-period")),
        start_interval_seconds=_duration(options.get("start-interval")),
        retries=_count(options.get("retries", "0")),
    )
    return replace(config, healthcheck=healthcheck)


_INSTRUCTIONS: dict[str, Callable[[ImageConfig, str], ImageConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}


def _command(rest: str) -> tuple[str, ...]:
    """Exec form where it is a JSON list of strings; anything else is a line for the shell."""
    listed = _json_list(rest)
    return tuple(listed) if listed is not None else (*_SHELL, _one(rest))


def _json_list(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def _assignments(rest: str) -> dict[str, str]:
    words = _some(shlex.split(rest))
    if "=" not in words[0]:  # the old form: ENV NAME the rest of the line
        name, _, value = rest.partition(" ")
        if not value:
            raise ValueError("expected `NAME=value`")
        return {name: value.strip()}
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise ValueError("expected `NAME=value`")
    return {name: value for name, _, value in pairs}


def _duration(text: str | None) -> float:
    if text is None:
        return 0
    if _DURATION.sub("", text) or not text:
        raise ValueError(f"`{text}` is no duration such as `30s` or `1m30s`")
    return sum(float(amount) * _SECONDS[unit] for amount, unit in _DURATION.findall(text))


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"`{text}` is no number")
    return int(text)


def _some(words: list[str]) -> list[str]:
    if not words:
        raise ValueError("a value is missing")
    return words


def _one(text: str) -> str:
    return _some([text.strip()] if text.strip() else [])[0]
