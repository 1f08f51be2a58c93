"""One service and its image, worked into the configuration of one container.

Which of the two decides follows the Compose Specification (`command`, `entrypoint`) and, where that is silent, what Docker
does when it creates a container: <https://github.com/compose-spec/compose-spec/blob/main/05-services.md>. `EXPOSE` is
documentation: it is shown, and changes nothing. Whatever order means nothing (mounts, variables, labels) is sorted, so that
moving lines in the file is no reason to interrupt a container.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from composer.engine import world
from composer.engine.contents import Content
from composer.errors import Diagnostic, ProjectError, Severity
from composer.oci.config import Healthcheck as ImageHealthcheck
from composer.oci.config import ImageConfig
from composer.project.model import Healthcheck, Mount, Port, Project, Service

_OWN_RUNTIMES = ("runc", "crun", "io.containerd.runc.v2")
"""Names of Docker's default runtimes: who asks for these asks for nothing special."""


_SPAN = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?")


class Image(Protocol):
    """What an image decides about a container."""

    @property
    def id(self) -> str:
        """The image's digest, "" for the embedded image `host`."""
        ...

    @property
    def config(self) -> ImageConfig: ...


def image_reference(project: Project, service: Service) -> str:
    """The image a service runs: the one it names, or the name its build gets."""
    return service.image or f"{project.name}-{service.name}"


def configure(
    project: Project,
    service: Service,
    image: Image,
    *,
    aliases: tuple[str, ...],
    contents: Mapping[str, Content] | None = None,
) -> world.ContainerConfig:
    """The configuration of a container of `service`, known on its networks by `aliases` too.

    `contents` are those of the secrets and configs of the project, by `Content.name_of`.

    Raises:
        ProjectError: neither the service nor its image says what to run, or it wants what is not here.
    """
    defaults = image.config
    _check_runtime(service)
    return world.ContainerConfig(
        image=image_reference(project, service),
        image_id=image.id,
        arguments=_arguments(service, defaults, image_reference(project, service)),
        environment=dict(sorted({**_variables(defaults.env), **service.environment}.items())),
        working_dir=service.working_dir or defaults.working_dir or "/",
        user=service.user if service.user is not None else defaults.user,
        hostname=service.hostname or "",
        domainname=service.domainname or "",
        labels=dict(sorted({**defaults.labels, **service.labels}.items())),
        mounts=_mounts(project, service, defaults.volumes),
        networks=_attachments(project, service, aliases),
        network_mode=service.network_mode or "",
        ports=tuple(_publish(port) for port in service.ports),
        exposed=tuple(sorted(set(_exposed((*defaults.exposed_ports, *service.expose))))),
        extra_hosts=service.extra_hosts,
        health=_health(service.healthcheck, defaults.healthcheck),
        restart=world.RestartPolicy(service.restart.policy, service.restart.max_retries),
        stop_signal=service.stop_signal or defaults.stop_signal or "SIGTERM",
        stop_grace_period=service.stop_grace_period,
        init=service.init,
        tty=service.tty,
        stdin_open=service.stdin_open,
        read_only=service.read_only,
        cap_add=tuple(sorted(service.cap_add)),
        cap_drop=tuple(sorted(service.cap_drop)),
        security_opt=service.security_opt,
        sysctls=dict(sorted(service.sysctls.items())),
        ulimits=tuple(world.Ulimit(name, limit.soft, limit.hard) for name, limit in sorted(service.ulimits.items())),
        limits=_limits(service),
        shm_size=service.shm_size or 0,
        dns=service.dns,
        dns_search=service.dns_search,
        dns_opt=service.dns_opt,
        group_add=service.group_add,
        oom_score_adj=service.oom_score_adj or 0,
        privileged=service.privileged,
        devices=tuple(world.DeviceGrant(one.source, one.target, one.permissions) for one in service.devices),
        device_cgroup_rules=service.device_cgroup_rules,
        ipc=service.ipc or "",
        uts=service.uts or "",
        links=tuple((name, alias) for name, _, alias in (link.partition(":") for link in service.links) if alias),
        files=_files(service, contents or {}),
        log_driver=service.logging.driver,
        log_options=dict(sorted(service.logging.options.items())),
    )


def _exposed(ports: Iterable[str]) -> Iterator[str]:
    """What is a port, or a range, each with its protocol; an image may say anything."""
    for port in ports:
        span, _, protocol = port.partition("/")
        if _SPAN.fullmatch(span):
            yield f"{span}/{protocol or 'tcp'}"


def _check_runtime(service: Service) -> None:
    """Refuse what the embedded runtime does not have."""
    problems = []
    if service.runtime not in (None, "", *_OWN_RUNTIMES):
        hint = "leave `runtime` out: containers run on the embedded runtime"
        message = f"cannot run `{service.name}`: there is no runtime `{service.runtime}` here"
        where = ("services", service.name, "runtime")
        problems.append(Diagnostic(Severity.ERROR, message, hint=hint, attribute=where))
    for mount in service.volumes:
        if mount.type not in ("bind", "volume", "tmpfs"):
            message = (
                f"cannot mount `{mount.target}` of `{service.name}`: there are no mounts of type `{mount.type}` yet"
            )
            place = ("services", service.name, "volumes", mount.target)
            hint = "copy the files into a volume, or bind them"
            problems.append(Diagnostic(Severity.ERROR, message, hint=hint, attribute=place))
    if problems:
        raise ProjectError(problems)


def _files(service: Service, contents: Mapping[str, Content]) -> tuple[world.FileGrant, ...]:
    grants = [("secret", grant) for grant in service.secrets] + [("config", grant) for grant in service.configs]
    found = []
    for kind, grant in grants:
        content = contents[Content.name_of(kind, grant.source, service.name)]
        found.append(
            world.FileGrant(
                kind,
                grant.source,
                posixpath.normpath(grant.target),
                grant.uid,
                grant.gid,
                grant.mode,
                content.digest,
                content.path,
                content.text,
                content.facts,
            )
        )
    return tuple(sorted(found, key=lambda file: file.target))


def _arguments(service: Service, image: ImageConfig, reference: str) -> tuple[str, ...]:
    """Entrypoint and command; an entrypoint in the file, even an empty one, drops the image's command too."""
    entrypoint = image.entrypoint if service.entrypoint is None else service.entrypoint
    default = image.cmd if service.entrypoint is None else ()
    command = default if service.command is None else service.command
    if arguments := (*entrypoint, *command):
        return arguments
    dropped = "entrypoint" if service.entrypoint is not None else "command" if service.command is not None else ""
    message = f"cannot run `{service.name}`: image `{reference}` has no command"
    hint = f"add `command:` to service `{service.name}`"
    if dropped and (image.entrypoint or image.cmd):
        message = f"cannot run `{service.name}`: its empty `{dropped}` drops the command that image `{reference}` has"
        hint = f"leave `{dropped}` out, or say a command"
    place = ("services", service.name, dropped or "image")
    raise ProjectError([Diagnostic(Severity.ERROR, message, hint=hint, attribute=place)])


def _variables(entries: Iterable[str]) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}


def _mounts(project: Project, service: Service, image_volumes: Iterable[str]) -> tuple[world.MountPoint, ...]:
    """All mounts, parents before what lies below them; an image's volume gives way to a mount at the same place."""
    mounts = [_mount(project, mount) for mount in service.volumes]
    mounts += [mount for mount in _borrowed(project, service) if mount.target not in {one.target for one in mounts}]
    for entry in service.tmpfs:
        target, _, options = entry.partition(":")
        mounts.append(world.MountPoint("tmpfs", posixpath.normpath(target), tmpfs_options=options))
    taken = {mount.target for mount in mounts}
    for path in map(posixpath.normpath, image_volumes):
        if path not in taken:
            taken.add(path)
            mounts.append(world.MountPoint("volume", path))
    return tuple(sorted(mounts, key=lambda mount: mount.target.split("/")))


def _mount(project: Project, mount: Mount) -> world.MountPoint:
    source = mount.source or ""
    if mount.type == "volume" and source:
        source = project.volumes[source].name
    return world.MountPoint(
        kind=mount.type,
        target=posixpath.normpath(mount.target),
        source=source,
        read_only=mount.read_only,
        create_host_path=mount.create_host_path,
        propagation=mount.propagation or "",
        nocopy=mount.nocopy,
        subpath=mount.subpath or "",
        tmpfs_size=mount.tmpfs_size or 0,
        tmpfs_mode=0o1777 if mount.tmpfs_mode is None else mount.tmpfs_mode,
    )


def _borrowed(project: Project, service: Service, seen: frozenset[str] = frozenset()) -> Iterator[world.MountPoint]:
    """The volumes and binds of the services in `volumes_from`, read-only where it says so."""
    for entry in service.volumes_from:
        name, _, mode = entry.removeprefix("container:").partition(":")
        read_only = mode == "ro"
        lender = {**project.services, **project.disabled}.get(name)
        if entry.startswith("container:") or lender is None or name in seen:
            continue
        own = [_mount(project, mount) for mount in lender.volumes]
        for mount in (*own, *_borrowed(project, lender, seen | {service.name})):
            if mount.kind != "tmpfs":
                shared = name if mount.kind == "volume" and not mount.source else mount.shared
                yield replace(mount, read_only=mount.read_only or read_only, shared=shared, nocopy=True)


def _attachments(project: Project, service: Service, aliases: tuple[str, ...]) -> tuple[world.Attachment, ...]:
    """The networks in the order of the interfaces: by priority, then by key, as Docker Compose does."""
    if service.network_mode not in (None, "bridge"):
        return ()
    ordered = sorted(service.networks.items(), key=lambda item: (-item[1].priority, item[0]))
    first = service.mac_address or ""
    return tuple(
        world.Attachment(
            network=project.networks[key].name,
            aliases=tuple(dict.fromkeys((*aliases, *attachment.aliases))),
            ipv4_address=attachment.ipv4_address or "",
            mac_address=attachment.mac_address or ("" if position else first),
            gateway_priority=attachment.gw_priority,
        )
        for position, (key, attachment) in enumerate(ordered)
    )


def _publish(port: Port) -> world.Publish:
    host_port = port.published or ""
    if port.published_range and not host_port:
        first, last = port.published_range
        host_port = f"{first}-{last}"
    return world.Publish(port.target, port.protocol, port.host_ip or "", host_port)


def _health(service: Healthcheck | None, image: ImageHealthcheck | None) -> world.HealthTest | None:
    """The check in force: each part from the file, else the image, else Docker's default; zero counts as unsaid."""
    service = service or Healthcheck()
    image = image or ImageHealthcheck()
    test = service.test or image.test
    if not test or test[0] == "NONE":
        return None

    return world.HealthTest(
        test=test,
        interval=service.interval or image.interval_seconds or 30.0,
        timeout=service.timeout or image.timeout_seconds or 30.0,
        retries=service.retries or image.retries or 3,
        start_period=service.start_period or image.start_period_seconds or 0.0,
        start_interval=service.start_interval or image.start_interval_seconds or 5.0,
    )


def _limits(service: Service) -> world.Limits:
    return world.Limits(
        memory=service.mem_limit or 0,
        memory_reservation=service.mem_reservation or 0,
        memory_swap=service.memswap_limit or 0,
        swappiness=service.mem_swappiness,
        cpus=service.cpus or 0.0,
        cpu_shares=service.cpu_shares or 0,
        cpu_quota=service.cpu_quota or 0,
        cpu_period=service.cpu_period or 0,
        cpuset=service.cpuset or "",
        pids=service.pids_limit or 0,
    )
