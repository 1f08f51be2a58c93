"""The project as one Compose file in long forms, as `docker compose config` prints it.

Everything is worked in: variables, env files, merges, `extends`. Loading the result gives the same project, so `$` is
doubled in every string. Keys are sorted as Docker Compose sorts them; what says nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from composer.project.model import Build, Healthcheck, Mount, Network, Port, Project, Service, Volume
from composer.project.quantities import format_duration

_AS_IT_IS = (
    "attach", "cap_add", "cap_drop", "cgroup_parent", "command", "container_name", "cpu_shares", "cpus", "cpuset",
    "devices", "dns", "dns_opt", "dns_search", "domainname", "entrypoint", "environment", "expose", "group_add",
    "hostname", "image", "init", "ipc", "labels", "links", "network_mode", "oom_score_adj", "pid", "pids_limit",
    "platform", "privileged", "profiles", "pull_policy", "read_only", "runtime", "security_opt", "stdin_open",
    "stop_signal", "sysctls", "tmpfs", "tty", "user", "uts", "volumes_from", "working_dir", "annotations",
)  # fmt: skip
_SIZES = ("mem_limit", "mem_reservation", "memswap_limit", "shm_size")


def canonical(project: Project) -> dict[str, Any]:
    """The enabled services and what is declared beside them, as plain data ready for YAML or JSON."""
    data: dict[str, Any] = {
        "name": project.name,
        "services": {name: _service(service) for name, service in sorted(project.services.items())},
    }
    if project.networks:
        data["networks"] = {key: _network(network) for key, network in sorted(project.networks.items())}
    if project.volumes:
        data["volumes"] = {key: _volume(volume) for key, volume in sorted(project.volumes.items())}
    escaped: dict[str, Any] = _escaped(data | project.extensions)
    return escaped


def _escaped(data: Any) -> Any:
    match data:
        case str():
            return data.replace("$", "$$")
        case dict():
            return {key: _escaped(value) for key, value in data.items()}
        case list() | tuple():
            return [_escaped(item) for item in data]
        case _:
            return data


def _service(service: Service) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in _AS_IT_IS:
        value = getattr(service, name)
        is_said = value != Service.model_fields[name].get_default(call_default_factory=True)
        if is_said or (name in ("command", "entrypoint") and value is not None):
            fields[name] = dict(sorted(value.items())) if isinstance(value, dict) else value
    for name in _SIZES:
        if (size := getattr(service, name)) is not None:
            fields[name] = str(size)
    parts: dict[str, Callable[[Service], Any]] = {
        "build": lambda s: _build(s.build) if s.build else None,
        "depends_on": lambda s: {other: _dependency(dependency) for other, dependency in sorted(s.depends_on.items())},
        "deploy": lambda s: {"replicas": s.replicas} if s.replicas != 1 else None,
        "develop": lambda s: _said(s.develop) if s.develop else None,
        "extra_hosts": lambda s: [f"{name}={address}" for name, address in s.extra_hosts],
        "healthcheck": lambda s: _healthcheck(s.healthcheck) if s.healthcheck else None,
        "networks": lambda s: {key: _said(attachment) or None for key, attachment in sorted(s.networks.items())},
        "ports": lambda s: [_port(port) for port in s.ports],
        "restart": lambda s: _restart(s),
        "stop_grace_period": lambda s: format_duration(s.stop_grace_period) if s.stop_grace_period != 10 else None,
        "ulimits": lambda s: {name: {"soft": u.soft, "hard": u.hard} for name, u in sorted(s.ulimits.items())},
        "volumes": lambda s: [_mount(mount) for mount in s.volumes],
    }
    fields |= {name: value for name, part in parts.items() if (value := part(service))}
    # Docker Compose sorts by name, but puts the profiles first.
    return dict(sorted(fields.items(), key=lambda field: (field[0] != "profiles", field[0]))) | service.extensions


def _said(part: Any) -> dict[str, Any]:
    fields: dict[str, Any] = part.model_dump(mode="json", exclude_defaults=True)
    return fields


def _dependency(dependency: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"condition": str(dependency.condition), "required": dependency.required}
    return fields | ({"restart": True} if dependency.restart else {})


def _build(build: Build) -> dict[str, Any]:
    fields = _said(build)
    if build.dockerfile_inline is None:
        fields.setdefault("dockerfile", "Dockerfile")
    if build.extra_hosts:
        fields["extra_hosts"] = [f"{name}={address}" for name, address in build.extra_hosts]
    if build.shm_size is not None:
        fields["shm_size"] = str(build.shm_size)
    return fields


def _healthcheck(healthcheck: Healthcheck) -> dict[str, Any]:
    fields = _said(healthcheck)
    for name in ("timeout", "interval", "start_period", "start_interval"):
        if (seconds := getattr(healthcheck, name)) is not None:
            fields[name] = format_duration(seconds)
    return {"disable": True} if healthcheck.disable else fields


def _restart(service: Service) -> str | None:
    restart = service.restart
    if restart.max_retries:
        return f"{restart.policy}:{restart.max_retries}"
    return restart.policy if restart.policy != "no" else None


def _port(port: Port) -> dict[str, Any]:
    fields: dict[str, Any] = {"mode": port.mode, "host_ip": port.host_ip, "target": port.target}
    fields["published"] = "-".join(map(str, port.published_range)) if port.published_range else port.published
    fields |= {"protocol": port.protocol, "name": port.name, "app_protocol": port.app_protocol}
    return {name: value for name, value in fields.items() if value is not None}


def _mount(mount: Mount) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": mount.type, "source": mount.source, "target": mount.target}
    fields["read_only"] = mount.read_only or None
    match mount.type:
        case "bind":
            fields["bind"] = ({} if mount.create_host_path else {"create_host_path": False}) | {
                name: value for name in ("propagation", "selinux") if (value := getattr(mount, name)) is not None
            }
        case "volume":
            fields["volume"] = ({"nocopy": True} if mount.nocopy else {}) | (
                {"subpath": mount.subpath} if mount.subpath else {}
            )
        case "tmpfs":
            size = {"size": str(mount.tmpfs_size)} if mount.tmpfs_size is not None else {}
            fields["tmpfs"] = size | ({"mode": mount.tmpfs_mode} if mount.tmpfs_mode is not None else {})
    return {name: value for name, value in fields.items() if value is not None}


def _network(network: Network) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": network.name}
    if network.external:
        return fields | {"external": True} | network.extensions
    for name in ("driver", "internal", "attachable", "enable_ipv6", "driver_opts", "labels"):
        fields |= {name: value} if (value := getattr(network, name)) else {}
    addresses = {name: value for name in ("subnet", "ip_range", "gateway") if (value := getattr(network, name))}
    if addresses:
        fields["ipam"] = {"config": [addresses]}
    return fields | network.extensions


def _volume(volume: Volume) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": volume.name}
    if volume.external:
        return fields | {"external": True} | volume.extensions
    for name in ("driver", "driver_opts", "labels"):
        fields |= {name: value} if (value := getattr(volume, name)) else {}
    return fields | volume.extensions
