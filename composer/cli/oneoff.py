"""The values of `compose run`'s own options, in the long forms of `project.model`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from composer.errors import UsageError
from composer.project.discover import read_text
from composer.project.dotenv import parse_dotenv
from composer.project.ports import check_ip, check_protocol, parse_range
from composer.project.shapes import FormError


def entrypoint_of(value: str | None) -> tuple[str, ...] | None:
    """The words of `--entrypoint`; an empty one clears the image's. Raises UsageError."""
    if value is None:
        return None
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise UsageError(f"`--entrypoint {value}` cannot be split into words: {str(error).lower()}") from error


def variables_of(files: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """What the files of `--env-from-file` set, as `KEY=VALUE`. Raises ProjectError for what is no such file."""
    found: dict[str, str] = {}
    for name in files:
        found |= parse_dotenv(read_text(Path(name), "the variables", named_by_user=True), name, environment.get)
    return tuple(f"{key}={value}" for key, value in found.items())


def labels_of(values: Iterable[str]) -> dict[str, str]:
    """The labels of `--label KEY[=VALUE]`."""
    return {key: value for key, _, value in (each.partition("=") for each in values)}


def mount_of(value: str) -> dict[str, Any]:
    """`[SOURCE:]TARGET[:OPTIONS]` as a `Mount`. Raises UsageError."""
    pieces = value.split(":")
    if len(pieces) > 3 or not all(pieces):
        raise UsageError(f"`-v {value}` is not a volume", hint="write `[SOURCE:]TARGET[:OPTIONS]`")
    if len(pieces) == 1:
        return {"type": "volume", "target": value}
    source, target, *rest = pieces
    options = rest[0].split(",") if rest else []
    if unknown := set(options).difference({"ro", "rw", "z", "Z", "nocopy"}):
        raise UsageError(f"`-v {value}` has an unknown option: `{sorted(unknown)[0]}`", hint="write `ro` or `rw`")
    is_bind = source[0] in "./~"
    return {
        "type": "bind" if is_bind else "volume",
        "source": str(Path(source).expanduser().absolute().resolve()) if is_bind else source,
        "target": target,
        "read_only": "ro" in options,
        "nocopy": "nocopy" in options,
    }


def ports_of(value: str) -> list[dict[str, Any]]:
    """`[IP:][HOST:]CONTAINER[/PROTOCOL]`, ranges paired port by port, as `Port`s. Raises UsageError."""
    ports, slash, protocol = value.partition("/")
    before, _, container = ports.rpartition(":")
    ip, _, host = before.rpartition(":")
    try:
        common: dict[str, Any] = {"protocol": check_protocol(protocol) if slash else "tcp"}
        if ip:
            common["host_ip"] = check_ip(ip)
        targets = parse_range(container, value)
        published = parse_range(host, value) if host and host != "0" else None
    except FormError as error:
        raise UsageError(f"`-p {value}`: {error.message}", hint="write `[IP:][HOST:]CONTAINER[/PROTOCOL]`") from error
    if published and len(targets) == 1 and len(published) > 1:
        return [{**common, "target": targets.first, "published_range": (published.first, published.last)}]
    if published and len(published) != len(targets):
        raise UsageError(f"`-p {value}` pairs {len(published)} host ports with {len(targets)} container ports")
    return [
        {**common, "target": targets.first + index, "published": str(published.first + index) if published else None}
        for index in range(len(targets))
    ]
