"""The plans for what already exists: `down`, `stop`, `start`, `restart` and `rm`, with a file or without.

Order comes from what the containers themselves recorded as their needs: whoever waits for another is stopped before it and
started after it. Independent containers go in parallel. Records of different times may contradict each other, where the file
has turned a dependency round and only one of both was made again: then one of the two goes first, for nothing may keep a
project from being taken down.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from composer.api.messages import DownRequest, ServicesRequest
from composer.engine.configure import image_reference
from composer.engine.draft import Draft
from composer.engine.plan import (
    AwaitCondition,
    Plan,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from composer.engine.verdict import SHARES, is_up
from composer.engine.world import Condition, Health, Observed, ObservedContainer, State
from composer.errors import UsageError
from composer.project.model import Project


def down(
    observed: Observed,
    project: str,
    request: DownRequest,
    known: frozenset[str] | None = None,
    images: Mapping[str, Sequence[str]] = {},
) -> Plan:
    """Stop and remove the project's containers, then its networks and, with `volumes`, its volumes.

    `images` go as well, each with the containers that are made from it: one that others use stays, with a warning.

    `known` are the services of the file; containers of others are orphans, which stay (with a warning) unless they are
    to be removed. Without a file everything on record goes. With services named, only their containers go. What is
    external is never touched: it does not belong to the project.
    """
    draft = Draft()
    everything = observed.containers
    orphans = (
        [c for c in everything if known is not None and c.service not in known] if not request.remove_orphans else []
    )
    if request.services:
        chosen = [container for container in everything if container.service in request.services]
    else:
        chosen = [container for container in everything if container not in orphans]
    cause = "down"
    for container in chosen:
        _stop(draft, container, chosen, cause, request.timeout)
        draft.add(f"remove/{container.name}", _removal(container, request), cause, [f"stop/{container.name}"])
    _remove_images(draft, images, chosen)
    if request.services:
        return draft.finish(break_circles=True)
    if orphans:
        names = ", ".join(f"`{container.name}`" for container in orphans)
        draft.warn(f"orphan containers of services that the file does not have: {names}; see --remove-orphans")
    _remove_networks(draft, observed, project, chosen, orphans)
    if request.volumes:
        _remove_volumes(draft, observed, project, chosen, orphans)
    return draft.finish(break_circles=True)


def images_of(observed: Observed, name: str, project: Project | None, request: DownRequest) -> tuple[str, ...]:
    """The images that `--rmi` means: `all` those of the services, `local` those that no `image:` names.

    Without a file those of the containers on record are meant, and with `remove_orphans` those of orphans too.
    """
    own = {**project.services, **project.disabled} if project else {}
    found = [(each.name, image_reference(project, each)) for each in project.services.values()] if project else []
    found += [
        (container.service, container.config.image)
        for container in observed.containers
        if project is None or (request.remove_orphans and container.service not in own)
    ]
    return tuple(
        dict.fromkeys(
            image
            for service, image in found
            if (not request.services or service in request.services)
            and (request.images == "all" or image == f"{name}-{service}")
        )
    )


def verb(name: str, observed: Observed, request: ServicesRequest) -> Plan:
    """The plan of `stop`, `start`, `restart` or `rm`. Raises UsageError for services that have no containers."""
    chosen = _chosen(observed, request.services)
    draft = Draft()
    match name:
        case "stop":
            for container in chosen:
                _stop(draft, container, chosen, "stop", request.timeout)
        case "start":
            if not chosen:
                raise UsageError("there is no container to start", hint="`compose up -d` makes them")
            for container in chosen:
                if not is_up(container):
                    _start(draft, container, chosen, "start")
        case "restart":
            chosen = chosen if request.no_deps else _with_dependents(chosen, observed)
            _restart(draft, chosen, "restart", request.timeout)
        case "rm":
            _rm(draft, chosen, request)
        case _:
            raise ValueError(f"`{name}` has no plan")
    if request.wait and name == "start":
        _wait(draft, chosen, request.wait_timeout)
    return draft.finish(break_circles=True)


def carried_on(observed: Observed, begun: Container[str]) -> Plan:
    """The rest of a restart that did not come to its end, over the containers that it had `begun` with, by their ids."""
    draft = Draft()
    chosen = [container for container in observed.containers if container.id in begun]
    _restart(draft, chosen, "a restart was interrupted", None)
    return draft.finish(break_circles=True)


def _restart(draft: Draft, chosen: Sequence[ObservedContainer], cause: str, timeout: float | None) -> None:
    for container in chosen:
        _stop(draft, container, chosen, cause, timeout, restart=True)
        _start(draft, container, chosen, cause)


def _chosen(observed: Observed, services: Sequence[str]) -> list[ObservedContainer]:
    replicas = [container for container in observed.containers if not container.one_off]
    if not services:
        return replicas
    for service in services:
        if not any(container.service == service for container in replicas):
            raise UsageError(f"service `{service}` has no containers", hint=f"`compose up -d {service}` makes them")
    return [container for container in replicas if container.service in services]


def _stop(
    draft: Draft,
    container: ObservedContainer,
    all_of: Iterable[ObservedContainer],
    cause: str,
    timeout: float | None,
    *,
    restart: bool = False,
) -> None:
    if is_up(container):
        dependents = [f"stop/{other.name}" for other in all_of if _depends(other, container)]
        stop = StopContainer(container.id, container.name, container.service, timeout, restart)
        draft.add(f"stop/{container.name}", stop, cause, dependents)


def _removal(
    container: ObservedContainer, request: DownRequest | ServicesRequest, *, stop: bool = True
) -> RemoveContainer:
    return RemoveContainer(container.id, container.name, container.service, request.volumes, stop, request.timeout)


def _start(draft: Draft, container: ObservedContainer, all_of: Iterable[ObservedContainer], cause: str) -> None:
    """Start it after what it needs; conditions are awaited only of what this plan starts too."""
    needs = [f"stop/{container.name}"]
    members = list(all_of)
    for need in container.needs:
        awaited = [other for other in members if other.service == need.service and other.id != container.id]
        if not awaited:
            continue
        names = tuple(other.name for other in awaited)
        starts = [f"start/{name}" for name in names]
        if need.condition is Condition.STARTED and need.required:
            needs += starts
            continue
        wait = AwaitCondition(need.service, names, need.condition, need.required)
        node_id = f"await/{need.service}/{need.condition.value}" + ("" if need.required else "/optional")
        needs.append(draft.add(node_id, wait, f"{container.service} needs it", starts))
    if (partner := container.config.network_mode).startswith(SHARES):
        needs += [f"start/{other.name}" for other in members if other.service == partner.removeprefix(SHARES)]
    draft.add(f"start/{container.name}", StartContainer(container.name, container.service), cause, needs)


def _with_dependents(chosen: list[ObservedContainer], observed: Observed) -> list[ObservedContainer]:
    """And those that say `restart: true` of a dependency among them, or share its network; and who does of these."""
    found = list(chosen)
    while True:
        services = {container.service for container in found}
        followers = [
            container
            for container in observed.containers
            if container not in found and is_up(container) and not container.one_off and _follows(container, services)
        ]
        if not followers:
            return found
        found += followers


def _follows(container: ObservedContainer, services: Container[str]) -> bool:
    """Whether it is restarted when one of `services` is."""
    shared = container.config.network_mode.removeprefix(SHARES)
    return shared in services or any(need.restart and need.service in services for need in container.needs)


def _rm(draft: Draft, chosen: Iterable[ObservedContainer], request: ServicesRequest) -> None:
    members = list(chosen)
    for container in members:
        if request.stop:
            _stop(draft, container, members, "rm", request.timeout)
        elif is_up(container):
            continue
        draft.add(
            f"remove/{container.name}",
            _removal(container, request, stop=request.stop),
            "rm",
            [f"stop/{container.name}"],
        )


def _wait(draft: Draft, chosen: Iterable[ObservedContainer], timeout: float | None) -> None:
    for container in chosen:
        condition = Condition.HEALTHY if container.config.health else Condition.STARTED
        if container.state is State.RUNNING and container.health in (Health.HEALTHY, Health.NONE):
            continue
        wait = AwaitCondition(container.service, (container.name,), condition, timeout=timeout)
        draft.add(f"wait/{container.name}", wait, "--wait", [f"start/{container.name}"])


def _remove_networks(
    draft: Draft,
    observed: Observed,
    project: str,
    chosen: Iterable[ObservedContainer],
    kept: Iterable[ObservedContainer],
) -> None:
    for name, network in observed.networks.items():
        if network.project != project:
            continue
        users = [container.name for container in kept if is_up(container) and name in container.networks]
        if users:
            draft.warn(f"network `{name}` stays: {', '.join(f'`{user}`' for user in users)} use it")
            continue
        removals = [f"remove/{container.name}" for container in chosen if name in container.networks]
        draft.add(f"remove-network/{name}", RemoveNetwork(name), "down", removals)


def _remove_images(draft: Draft, images: Mapping[str, Sequence[str]], chosen: Iterable[ObservedContainer]) -> None:
    going = [container.name for container in chosen]
    for reference, users in images.items():
        if others := [user for user in users if user not in going]:
            draft.warn(f"image `{reference}` stays: {', '.join(f'`{other}`' for other in others)} is made from it")
            continue
        removals = [f"remove/{name}" for name in going if name in users]
        draft.add(f"remove-image/{reference}", RemoveImage(reference), "down --rmi", removals)


def _remove_volumes(
    draft: Draft,
    observed: Observed,
    project: str,
    chosen: Iterable[ObservedContainer],
    kept: Iterable[ObservedContainer],
) -> None:
    used = {mount.source for container in kept for mount in container.config.mounts if mount.kind == "volume"}
    for name, volume in observed.volumes.items():
        if volume.project != project or volume.anonymous:
            continue
        if name in used:
            draft.warn(f"volume `{name}` stays: an orphan container mounts it")
            continue
        mounts = [
            f"remove/{container.name}"
            for container in chosen
            if any(mount.source == name for mount in container.config.mounts)
        ]
        draft.add(f"remove-volume/{name}", RemoveVolume(name), "down -v", mounts)


def _depends(dependent: ObservedContainer, dependency: ObservedContainer) -> bool:
    """Whether `dependent` goes down before `dependency`."""
    shares = dependent.config.network_mode == f"{SHARES}{dependency.service}"
    return dependent.id != dependency.id and (
        shares or any(need.service == dependency.service for need in dependent.needs)
    )
