"""Which attribute of the project an error of a container's start is about: it is shown where that was written. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from composer.engine.world import ContainerConfig
from composer.errors import ComposerError, ContainerError, ProjectError
from composer.project.document import Path
from composer.project.model import Project, Service
from composer.project.origins import Origins

_ATTRIBUTES = {
    "user": ("user",),
    "group": ("group_add",),
    "seccomp": ("security_opt",),
    "Hostname": ("hostname",),
    "OomScore": ("oom_score_adj",),
    "WorkingDirectory": ("working_dir",),
    "Exec": ("program",),
}
"""By what failed: a step, or what the engine looked for before there were any."""


def blamed(error: ComposerError, config: ContainerConfig) -> tuple[str, ...]:
    """The attribute of a service, empty if none is to blame; entries of lists by what they are about, not by number."""
    if error.attribute or not isinstance(error, ContainerError):
        return error.attribute
    if error.step in ("Bind", "Mount", "Stack", "Files"):
        return _mount(error.about, config)
    if error.step in ("ResourceLimit", "Sysctl"):
        return ("ulimits" if error.step == "ResourceLimit" else "sysctls", error.about)
    if error.step == "Directory" and error.about == config.working_dir:
        return ("working_dir",)
    if error.step == "capability":
        dropped = _bare(error.about) in map(_bare, config.cap_drop)
        return ("cap_drop" if dropped else "cap_add", error.about)
    if error.step == "device":
        return ("devices", error.about)
    return _ATTRIBUTES.get(error.step, ())


def _mount(target: str, config: ContainerConfig) -> tuple[str, ...]:
    for file in config.files:
        if file.target == target:
            return (f"{file.kind}s", target)
    if any(mount.target == target for mount in config.mounts):
        return ("volumes", target)
    return ()


@asynccontextmanager
async def placed(project: Project, origins: Origins) -> AsyncIterator[None]:
    """Have an error that says what of the project it is about say where that was written."""
    try:
        yield
    except ProjectError as error:
        error.diagnostics = tuple(
            replace(each, location=origins.near(_numbered(each.attribute, project)))
            if each.attribute and each.location is None
            else each
            for each in error.diagnostics
        )
        raise
    except ComposerError as error:
        if error.attribute and error.location is None:
            error.location = origins.near(_numbered(error.attribute, project))
        raise


def _numbered(path: tuple[str, ...], project: Project) -> Path:
    """`path` with the entry of a list by its number, as origins have it."""
    match path:
        case ("services", name, *rest) if (service := project.services.get(name)) is not None:
            return ("services", name, *_within(service, rest))
        case _:
            return path


def _within(service: Service, rest: Sequence[str]) -> Path:
    match rest:
        case ["program"]:
            return ("entrypoint" if service.entrypoint else "command" if service.command else "image",)
        case ["volumes", target] if (
            number := _index(service.tmpfs, lambda it: it.split(":")[0] == target)
        ) is not None:
            return ("tmpfs", number)
        case [("volumes" | "configs" | "secrets") as attribute, target]:
            return _entry(attribute, _index(getattr(service, attribute), lambda it: it.target == target))
        case ["ports", port]:
            return _entry("ports", _index(service.ports, lambda it: f"{it.target}/{it.protocol}" == port))
        case ["devices", source]:
            return _entry("devices", _index(service.devices, lambda it: it.source == source))
        case [("cap_add" | "cap_drop") as attribute, name]:
            return _entry(attribute, _index(getattr(service, attribute), lambda it: _bare(it) == _bare(name)))
        case _:
            return tuple(rest)


def _entry(attribute: str, number: int | None) -> Path:
    return (attribute,) if number is None else (attribute, number)


def _index(entries: Iterable[Any], wanted: Callable[[Any], bool]) -> int | None:
    return next((number for number, entry in enumerate(entries) if wanted(entry)), None)


def _bare(capability: str) -> str:
    return capability.upper().removeprefix("CAP_")
