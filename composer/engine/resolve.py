"""From a project to what should be: replicas with names, configurations, labels and hashes, in start order.

Pure. The project is valid and its images are at hand (the caller has looked for missing ones); what can still be wrong is
what only both together tell: an image without a command, a dependency on the health of a service that has no check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from composer.api.messages import RunRequest, UpOptions
from composer.engine.configure import Image, configure, image_reference
from composer.engine.contents import Content
from composer.engine.hashing import config_hash
from composer.engine.labels import labelled, network_labels, volume_labels
from composer.engine.scope import check_known, dependencies, services_in_scope
from composer.engine.world import (
    Condition,
    Desired,
    DesiredContainer,
    DesiredNetwork,
    DesiredVolume,
    Need,
    RestartPolicy,
)
from composer.errors import Diagnostic, ProjectError, Severity, UsageError
from composer.project.model import Mount, Network, Port, Project, Service


def resolve(
    project: Project,
    images: Mapping[str, Image],
    options: UpOptions,
    contents: Mapping[str, Content] | None = None,
) -> Desired:
    """What `project` should look like; `images` by the reference that `image_reference` gives each service in scope.

    `contents` are those of the secrets and configs that these services are granted.

    Raises:
        UsageError: a service or scale on the command line that the file does not have, or a scale it cannot have.
        ProjectError: an image without a command, or a wait for the health of a service without a check.
    """
    check_known(project, options.scale)
    services = services_in_scope(project, options.services, deps=not options.no_deps)
    scope = frozenset(service.name for service in services)
    containers = [
        _replica(project, service, number, images[image_reference(project, service)], scope, contents)
        for service in services
        for number in range(1, _replicas(service, options.scale) + 1)
    ]
    _check_health(containers)
    return _desired(project, containers, scope, frozenset(options.services) or scope)


def resolve_one_off(
    project: Project,
    images: Mapping[str, Image],
    request: RunRequest,
    slug: str,
    contents: Mapping[str, Content] | None = None,
) -> Desired:
    """What `compose run` asks for: one one-off container, with the networks and volumes that it uses.

    Its needs are those of the service, none with `no_deps`. Ports only where asked for; never restarted.

    Raises:
        UsageError: a service that the file does not have.
        ProjectError: an image without a command.
    """
    check_known(project, (request.service,))
    service = _as_requested({**project.services, **project.disabled}[request.service], request)
    name = request.name or f"{project.name}-{service.name}-run-{slug}"
    aliases = (service.name, name) if request.use_aliases else (name,)
    if not request.use_aliases:
        quiet = {key: on.model_copy(update={"aliases": ()}) for key, on in service.networks.items()}
        service = service.model_copy(update={"networks": quiet})
    image = images[image_reference(project, service)]
    config = configure(project, service, image, aliases=aliases, contents=contents)
    config = replace(config, restart=RestartPolicy())
    needs = () if request.no_deps else _needs(service, frozenset(dependencies(service)))
    container = DesiredContainer(name, service.name, 1, config, config_hash(config), needs, one_off=True)
    # An empty scope: the service's own containers are none of this request's business.
    return _desired(project, [labelled(container, project, slug)], frozenset(), frozenset())


def _replica(
    project: Project,
    service: Service,
    number: int,
    image: Image,
    scope: frozenset[str],
    contents: Mapping[str, Content] | None,
) -> DesiredContainer:
    name = service.container_name or f"{project.name}-{service.name}-{number}"
    config = configure(project, service, image, aliases=(service.name, name), contents=contents)
    container = DesiredContainer(name, service.name, number, config, config_hash(config), _needs(service, scope))
    return labelled(container, project)


def _replicas(service: Service, scale: Mapping[str, int]) -> int:
    count = scale.get(service.name, service.replicas)
    if count < 0:
        raise UsageError(f"cannot scale `{service.name}` to {count}: a service cannot have fewer than 0 containers")
    if count > 1 and service.container_name:
        raise UsageError(
            f"cannot scale `{service.name}` to {count}: its `container_name` is `{service.container_name}`, "
            "and a name belongs to one container",
            hint=f"remove `container_name` from service `{service.name}`",
        )
    return count


def _needs(service: Service, scope: frozenset[str]) -> tuple[Need, ...]:
    """What `service` waits for among `scope`; `--no-deps` leaves the others out."""
    return tuple(
        Need(name, Condition(terms.condition), terms.required, terms.restart)
        for name, terms in dependencies(service).items()
        if name in scope
    )


def _check_health(containers: Sequence[DesiredContainer]) -> None:
    """Raise ProjectError for a wait that can never end."""
    unchecked = {container.service for container in containers if container.config.health is None}
    waits = {(container.service, need) for container in containers for need in container.needs}
    problems = [
        Diagnostic(
            Severity.ERROR,
            f"service `{waiter}` waits for `{need.service}` to be healthy, but `{need.service}` has no healthcheck",
            hint=f"add `healthcheck:` to service `{need.service}`, or wait for `service_started`",
        )
        for waiter, need in sorted(waits, key=lambda wait: (wait[0], wait[1].service))
        if need.condition is Condition.HEALTHY and need.required and need.service in unchecked
    ]
    if problems:
        raise ProjectError(problems)


def _desired(
    project: Project, containers: Sequence[DesiredContainer], scope: frozenset[str], explicit: frozenset[str]
) -> Desired:
    """The containers with the networks and volumes that they use, in file order."""
    mounts = [mount for container in containers for mount in container.config.mounts]
    volumes = {mount.source for mount in mounts if mount.kind == "volume"}
    networks = {attachment.network for container in containers for attachment in container.config.networks}
    return Desired(
        project=project.name,
        networks={
            network.name: desired_network(project, network)
            for network in project.networks.values()
            if network.name in networks
        },
        volumes={
            volume.name: DesiredVolume(
                key=volume.key,
                name=volume.name,
                external=volume.external,
                labels=volume_labels(project.name, volume.key, volume.labels),
                driver=volume.driver or "",
            )
            for volume in project.volumes.values()
            if volume.name in volumes
        },
        containers=tuple(containers),
        scope=scope,
        known=frozenset(project.services) | frozenset(project.disabled),
        explicit=explicit,
    )


def desired_network(project: Project, network: Network) -> DesiredNetwork:
    """A network of a project as it is to be."""
    return DesiredNetwork(
        key=network.key,
        name=network.name,
        external=network.external,
        internal=network.internal,
        subnet=network.subnet or "",
        gateway=network.gateway or "",
        ip_range=network.ip_range or "",
        reserved=tuple(network.aux_addresses.values()),
        labels=network_labels(project.name, network.key, network.labels),
    )


def _as_requested(service: Service, request: RunRequest) -> Service:
    """The service as `compose run` changes it; an entrypoint there drops the file's command, as in Docker Compose."""
    command = service.command if request.entrypoint is None else ()
    mounts = tuple(Mount.model_validate(mount) for mount in request.volumes)
    replaced = {mount.target for mount in mounts}
    published = tuple(Port.model_validate(port) for port in request.publish)
    variables = dict(entry.split("=", 1) for entry in request.environment if "=" in entry)
    return service.model_copy(
        update={
            "command": request.command if request.command is not None else command,
            "entrypoint": request.entrypoint if request.entrypoint is not None else service.entrypoint,
            "environment": {**service.environment, **variables},
            "labels": {**service.labels, **request.labels},
            "cap_add": (*service.cap_add, *request.cap_add),
            "cap_drop": (*service.cap_drop, *request.cap_drop),
            "user": request.user or service.user,
            "working_dir": request.working_dir or service.working_dir,
            "volumes": (*(mount for mount in service.volumes if mount.target not in replaced), *mounts),
            "ports": (*(service.ports if request.service_ports else ()), *published),
            "container_name": None,
            "tty": request.tty,
            "stdin_open": request.stdin,
        }
    )
