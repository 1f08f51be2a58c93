"""Which part of a project a command is about: the services it names, what they need, and nothing else.

Naming a service enables it whatever its profiles; its dependencies come along. The networks and volumes that no
selected service uses are left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from composer.errors import UsageError
from composer.project.model import File, Network, Project, Service, Volume


def select(project: Project, services: Iterable[str] = (), no_deps: bool = False) -> Project:
    """The part that `services` (all enabled ones, if none is named) and their dependencies make up, in file order.

    Raises:
        UsageError: a service is not in the project, or one needs a service whose profiles are not active.
    """
    every = {**project.services, **project.disabled}
    named = list(dict.fromkeys(services))
    for name in named:
        if name not in every:
            raise UsageError(f"there is no service `{name}` in project `{project.name}`", hint=_similar(name, every))
    chosen = set(named) if named else set(project.services)
    pending = [] if no_deps and named else list(chosen)
    while pending:
        name = pending.pop()
        for other, dependency in every[name].depends_on.items():
            if other in chosen:
                continue
            if other in project.services:
                chosen.add(other)
                pending.append(other)
            elif dependency.required:
                raise UsageError(_inactive(name, other, every[other]), hint=_activate(every[other]))
    order = [name for name in _file_order(project) if name in chosen]
    kept = {name: _without_absent(every[name], chosen) for name in order}
    return project.model_copy(
        update={
            "services": kept,
            "disabled": {name: service for name, service in project.disabled.items() if name not in chosen},
            "networks": _used_networks(project, kept),
            "volumes": _used_volumes(project, kept),
            "secrets": _granted(project.secrets, kept, "secrets"),
            "configs": _granted(project.configs, kept, "configs"),
        }
    )


def _file_order(project: Project) -> list[str]:
    return [*project.services, *project.disabled]


def _similar(name: str, names: Iterable[str]) -> str:
    from composer.project.shapes import did_you_mean

    return did_you_mean(name, names) or f"the services are {', '.join(f'`{other}`' for other in names)}"


def _inactive(name: str, other: str, service: Service) -> str:
    profiles = ", ".join(f"`{profile}`" for profile in service.profiles)
    return f"`{name}` depends on `{other}`, which takes part only with the profile {profiles}"


def _activate(service: Service) -> str:
    return f"add `--profile {service.profiles[0]}`"


def _without_absent(service: Service, chosen: set[str]) -> Service:
    """The service without dependencies that do not take part."""
    present = {other: dependency for other, dependency in service.depends_on.items() if other in chosen}
    return service if len(present) == len(service.depends_on) else service.model_copy(update={"depends_on": present})


def _used_networks(project: Project, services: dict[str, Service]) -> dict[str, Network]:
    used = {key for service in services.values() for key in service.networks}
    return {key: network for key, network in project.networks.items() if key in used}


def _granted(files: dict[str, File], services: dict[str, Service], name: str) -> dict[str, File]:
    used = {grant.source for service in services.values() for grant in getattr(service, name)}
    if name == "secrets":
        used |= {grant.source for each in services.values() if each.build for grant in each.build.secrets}
    return {key: file for key, file in files.items() if key in used}


def _used_volumes(project: Project, services: dict[str, Service]) -> dict[str, Volume]:
    used = {mount.source for service in services.values() for mount in service.volumes if mount.type == "volume"}
    return {key: volume for key, volume in project.volumes.items() if key in used}
