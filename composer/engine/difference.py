"""Why a container must be made again: the attributes that differ, in the file's words.

    environment.DEBUG changed (compose.yaml:9)
    image: redis:7 -> redis:8 (compose.yaml:4)

Values of the environment and of labels are never shown, only their names: they may be secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from composer.engine.labels import PREFIX
from composer.engine.world import ContainerConfig, FileGrant, MountPoint

Locate = Callable[[tuple[str, ...]], str]
"""Where a path of the project stands, as `compose.yaml:9`; "" where that is not known (`Origins` of `composer.project`)."""

_NAMED = frozenset({"environment", "labels", "sysctls"})
"""Mappings whose values are not shown."""

_SHOWN = frozenset({
    "image", "working_dir", "user", "hostname", "domainname", "network_mode", "stop_signal", "stop_grace_period",
    "init", "tty", "stdin_open", "read_only", "shm_size", "oom_score_adj", "privileged", "ipc", "uts",
})  # fmt: skip
"""Attributes that are told as `old -> new`."""

_FILE_KEYS = {
    "arguments": "command",
    "mounts": "volumes",
    "health": "healthcheck",
    "exposed": "expose",
    "limits": "deploy",
    "log_driver": "logging",
    "log_options": "logging",
}
"""Where the file has another word than `ContainerConfig`."""

_SHOWN_CAUSES = 3


def nowhere(path: tuple[str, ...]) -> str:
    """The `Locate` of what has no file: recorded projects."""
    return ""


def causes(old: ContainerConfig, new: ContainerConfig, service: str, locate: Locate) -> list[str]:
    """One text for each attribute that differs, in the order of `ContainerConfig`; empty when nothing does."""
    return [_placed(text, ("services", service, *path), locate) for text, path in _differences(old, new)]


def cause(old: ContainerConfig, new: ContainerConfig, service: str, locate: Locate) -> str:
    """The differences in one line: the first three, and how many more."""
    texts = causes(old, new, service, locate)
    if len(texts) > _SHOWN_CAUSES:
        texts[_SHOWN_CAUSES - 1 :] = [f"{len(texts) - _SHOWN_CAUSES + 1} more changes"]
    return ", ".join(texts) or "configuration changed"


def _placed(text: str, path: tuple[str, ...], locate: Locate) -> str:
    """`text` with the place of `path`, or of what contains it."""
    while len(path) > 2:
        if place := locate(path):
            return f"{text} ({place})"
        path = path[:-1]
    return text


def _differences(old: ContainerConfig, new: ContainerConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
    for field in fields(ContainerConfig):
        name = field.name
        before, after = getattr(old, name), getattr(new, name)
        key = _FILE_KEYS.get(name, name)
        if before == after:
            continue
        if name == "image_id":
            if old.image == new.image:
                yield f"image content of {new.image} changed", ("image",)
        elif name in _NAMED:
            for item, word in _changed_keys(before, after):
                yield f"{key}.{item} {word}", (key, item)
        elif name == "mounts":
            yield from _mounts(before, after)
        elif name == "files":
            yield from _files(before, after)
        elif name == "networks":
            yield from _networks(before, after)
        elif name in _SHOWN:
            yield f"{key}: {_word(before)} -> {_word(after)}", (key,)
        else:
            yield f"{key} changed", (key,)


def _changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in sorted(old.keys() | new.keys()):
        if not key.startswith(PREFIX) and old.get(key) != new.get(key):
            yield key, "added" if key not in old else "removed" if key not in new else "changed"


def _mounts(old: tuple[MountPoint, ...], new: tuple[MountPoint, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    before, after = {mount.target: mount for mount in old}, {mount.target: mount for mount in new}
    for target, word in _changed_keys(before, after):
        yield f"mount at {target} {word}", ("volumes",)
    if before == after:
        yield "volumes changed", ("volumes",)


def _files(old: tuple[FileGrant, ...], new: tuple[FileGrant, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    before, after = ({file.target: file for file in files} for files in (old, new))
    for target, word in _changed_keys(before, after):
        file = after.get(target) or before[target]
        yield f"{file.kind} {file.key} {word}", (f"{file.kind}s",)


def _networks(old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    before, after = {place.network: place for place in old}, {place.network: place for place in new}
    for network, word in _changed_keys(before, after):
        yield f"network {network} {word}", ("networks",)
    if before == after:
        yield "order of networks changed", ("networks",)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value not in ("", None) else "(none)"
