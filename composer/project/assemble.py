"""From the merged, checked tree to the model: defaults filled in, names completed, implicit dependencies made explicit."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping as Dict
from pathlib import Path
from typing import Any

from composer.project.document import Mapping, Node, Scalar, is_null, plain
from composer.project.environment import VariableFiles, pairs, service_environment, service_labels
from composer.project.facts import variables_of
from composer.project.interpolate import Lookup
from composer.project.merged import (
    dependencies,
    entries_of,
    items_of,
    replicas_of,
    section,
    services_of,
    text_of,
)
from composer.project.model import File, Network, Project, Service, Volume
from composer.project.reading import read_file
from composer.project.report import Report

_AS_WRITTEN = frozenset(
    {
        "image", "command", "entrypoint", "container_name", "hostname", "domainname", "expose", "volumes_from", "tmpfs",
        "links", "stop_signal", "stop_grace_period", "user", "group_add", "working_dir", "init", "tty", "stdin_open",
        "read_only", "profiles", "attach", "pull_policy", "platform", "runtime", "privileged", "cap_add", "cap_drop",
        "security_opt", "ulimits", "devices", "dns", "dns_search", "dns_opt", "ipc", "pid", "uts", "cgroup_parent",
        "shm_size", "mem_limit", "mem_reservation", "memswap_limit", "cpus", "cpu_shares", "cpuset", "pids_limit",
        "oom_score_adj", "device_cgroup_rules", "mac_address", "cpu_period", "cpu_quota", "mem_swappiness",
    }
)  # fmt: skip
"""Service attributes whose canonical form is the model's."""

_RESOURCES = (
    ("limits", "memory", "mem_limit"),
    ("limits", "cpus", "cpus"),
    ("limits", "pids", "pids_limit"),
    ("reservations", "memory", "mem_reservation"),
)
"""What of `deploy.resources` is which attribute of the service, if that does not say it itself."""


class Assembler:
    """Builds the parts of one project."""

    def __init__(self, name: str, lookup: Lookup, directory: Path, shown_from: Path, report: Report) -> None:
        self._name = name
        self._lookup = lookup
        self._directory = directory
        self._shown_from = shown_from
        self._report = report
        self._containers: dict[str, str] = {}
        """Services by the name of their container."""

    def project(
        self, tree: Mapping, files: tuple[str, ...], profiles: frozenset[str], used: Dict[str, str]
    ) -> Project | None:
        """The project; `None` if that brought up problems, which are in the report."""
        services = services_of(tree)
        self._containers = {
            named: name for name, node in services.items() if (named := text_of(node, "container_name"))
        }
        every = {name: self.service(name, node) for name, node in services.items()}
        networks = {key: self.network(key, node) for key, node in section(tree, "networks").items()}
        if "default" not in networks and any("default" in service.networks for service in every.values()):
            networks["default"] = self.network("default", None)
        volumes = {key: self.volume(key, node) for key, node in section(tree, "volumes").items()}
        secrets, configs = (
            {key: self.file(key, node) for key, node in section(tree, name).items()} for name in ("secrets", "configs")
        )
        if self._report.errors:
            return None
        enabled = {name for name, service in every.items() if is_enabled(service, profiles)}
        return Project(
            name=self._name,
            working_dir=str(self._directory),
            compose_files=files,
            services={name: service for name, service in every.items() if name in enabled},
            disabled={name: service for name, service in every.items() if name not in enabled},
            networks=networks,
            volumes=volumes,
            secrets=secrets,
            configs=configs,
            environment_used=dict(sorted(used.items())),
            extensions=_extensions(tree),
        )

    def service(self, name: str, node: Mapping) -> Service:
        """One service."""
        directory = self._directory
        files = VariableFiles(directory, self._shown_from, self._report)
        fields: dict[str, Any] = {
            key: plain(value) for key, value in node.entries.items() if key in _AS_WRITTEN and not is_null(value)
        }
        mode = text_of(node, "network_mode")
        fields |= {
            "name": name,
            "environment": service_environment(name, node, self._lookup, files),
            "labels": service_labels(name, node, files) | _texts(node, "labels"),
            "annotations": _texts(node, "annotations"),
            "sysctls": _texts(node, "sysctls"),
            "ports": [_port(item) for item in items_of(node, "ports") if isinstance(item, Mapping)],
            "volumes": [_mount(item) for item in items_of(node, "volumes") if isinstance(item, Mapping)],
            "depends_on": _depends_on(node),
            "network_mode": self._network_mode(mode),
            "networks": _attachments(node),
            "replicas": replicas_of(node),
            "security_opt": [_security_option(plain(item), directory) for item in items_of(node, "security_opt")],
            "devices": [_device(item) for item in items_of(node, "devices") if isinstance(item, Mapping)],
            "secrets": _grants(node, "secrets", "/run/secrets/"),
            "configs": _grants(node, "configs", "/"),
            "logging": _logging(node),
            "post_start": _hooks(node, "post_start"),
            "pre_stop": _hooks(node, "pre_stop"),
            "extra_hosts": _hosts(node),
            "extensions": _extensions(node),
        }
        build, healthcheck, restart = node.get("build"), node.get("healthcheck"), text_of(node, "restart")
        develop = node.get("develop")
        if isinstance(develop, Mapping):
            fields["develop"] = {"watch": [_trigger(item) for item in items_of(develop, "watch")]}
        if isinstance(build, Mapping):
            fields["build"] = self._build(build, directory)
        if isinstance(healthcheck, Mapping):
            fields["healthcheck"] = _healthcheck(healthcheck)
        if restart is not None:
            policy, _, count = restart.partition(":")
            fields["restart"] = {"policy": policy, "max_retries": int(count or 0)}
        elif deployed := _restart_policy(node):
            fields["restart"] = deployed
        for kind, limit, field in _RESOURCES:
            value = _resources(node, kind).get(limit)
            if value is not None:
                fields.setdefault(field, plain(value))
        return Service.model_validate(fields)

    def _network_mode(self, mode: str | None) -> str | None:
        """A container that is called by its name may be one of a service here."""
        kind, _, other = (mode or "").partition(":")
        if kind == "container" and other in self._containers:
            return f"service:{self._containers[other]}"
        return None if mode == "bridge" else mode

    def _build(self, node: Mapping, directory: Path) -> dict[str, Any]:
        fields: dict[str, Any] = {
            key: plain(value) for key, value in node.entries.items() if not key.startswith("x-") and not is_null(value)
        }
        known = {"dockerfile", "dockerfile_inline", "target", "cache_from", "cache_to", "no_cache", "pull", "network",
                 "shm_size", "platforms", "tags", "no_cache_filter", "ulimits", "privileged", "entitlements"}  # fmt: skip
        if not fields.get("dockerfile"):
            fields["dockerfile"] = None if "dockerfile_inline" in fields else "Dockerfile"
        return {
            **{key: value for key, value in fields.items() if key in known},
            "context": text_of(node, "context") or str(directory),
            "args": self._arguments(node),
            "secrets": _grants(node, "secrets", ""),
            "ssh": pairs(node, "ssh"),
            "labels": _texts(node, "labels"),
            "additional_contexts": _texts(node, "additional_contexts"),
            "extra_hosts": _hosts(node),
        }

    def _arguments(self, build: Mapping) -> dict[str, str]:
        """Build arguments; a name alone is taken from the variables, or left out."""
        given = ((key, self._lookup(key) if value is None else value) for key, value in pairs(build, "args").items())
        return {key: value for key, value in given if value is not None}

    def network(self, key: str, node: Mapping | None) -> Network:
        """One network; `None` for the implicit `default`."""
        fields = self._named(key, node)
        if node is not None:
            fields |= {
                name: plain(value)
                for name in ("internal", "attachable", "enable_ipv6", "driver")
                if (value := node.get(name)) is not None
            }
            ipam = node.get("ipam")
            for entry in items_of(ipam, "config")[:1] if isinstance(ipam, Mapping) else ():
                if isinstance(entry, Mapping):
                    names = ("subnet", "gateway", "ip_range")
                    fields |= {name: text for name in names if (text := text_of(entry, name)) is not None}
                    fields["aux_addresses"] = _texts(entry, "aux_addresses")
        return Network.model_validate(fields)

    def volume(self, key: str, node: Mapping) -> Volume:
        """One named volume."""
        driver = text_of(node, "driver")
        return Volume.model_validate(self._named(key, node) | ({"driver": driver} if driver else {}))

    def file(self, key: str, node: Mapping) -> File:
        """One secret or config."""
        fields = self._named(key, node)
        names = ("file", "environment", "content", "template_driver")
        said = {name: text for name in names if (text := text_of(node, name)) is not None}
        if "environment" in said:
            self._lookup(said["environment"])  # its value goes along with the project, though it is in no model
        if said.get("template_driver") == "jinja2":
            for variable in variables_of(said.get("content") or self._template(said.get("file", ""))):
                self._lookup(variable)
        return File.model_validate({name: fields[name] for name in ("key", "name", "external")} | said)

    def _template(self, path: str) -> str:
        """A template's text as far as it can be had: who renders it says what is wrong with it."""
        try:
            return read_file(Path(path)).decode("utf-8", "replace")
        except OSError:
            return ""

    def _named(self, key: str, node: Mapping | None) -> dict[str, Any]:
        if node is None:
            return {"key": key, "name": f"{self._name}_{key}"}
        external = node.get("external")
        inside = text_of(external, "name") if isinstance(external, Mapping) else None
        is_external = external is not None and not (isinstance(external, Scalar) and external.value is False)
        name = text_of(node, "name") or inside or (key if is_external else f"{self._name}_{key}")
        return {
            "key": key,
            "name": name,
            "external": is_external,
            "labels": _texts(node, "labels"),
            "driver_opts": _texts(node, "driver_opts"),
            "extensions": _extensions(node),
        }


def is_enabled(service: Service, profiles: frozenset[str]) -> bool:
    """Whether a service with its profiles takes part when `profiles` are active."""
    return not service.profiles or "*" in profiles or not profiles.isdisjoint(service.profiles)


def _texts(node: Mapping, key: str) -> dict[str, str]:
    return {name: value or "" for name, value in pairs(node, key).items()}


def _extensions(node: Mapping) -> dict[str, Any]:
    return {key: plain(value) for key, value in node.entries.items() if key.startswith("x-")}


def _port(node: Mapping) -> dict[str, Any]:
    fields: dict[str, Any] = {key: plain(value) for key, value in node.entries.items() if not key.startswith("x-")}
    first, dash, last = str(fields.get("published") or "").partition("-")
    if dash:
        fields |= {"published": None, "published_range": (int(first), int(last))}
    return fields


def _mount(node: Mapping) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in node.entries.items():
        if key in ("bind", "volume") and isinstance(value, Mapping):
            kept = ("propagation", "create_host_path", "selinux", "nocopy", "subpath")
            fields |= {
                name: plain(option) for name, option in value.entries.items() if name in kept and not is_null(option)
            }
        elif key == "tmpfs" and isinstance(value, Mapping):
            options = value.entries.items()
            fields |= {f"tmpfs_{name}": plain(option) for name, option in options if name in ("size", "mode")}
        elif key in ("type", "source", "target", "read_only") and not is_null(value):
            fields[key] = plain(value)
    if fields["type"] == "tmpfs":
        fields.pop("source", None)
    fields["target"] = "/" + posixpath.normpath(fields["target"]).lstrip("/")
    return fields


def _depends_on(node: Mapping) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for other, attribute, _ in dependencies(node):
        if attribute == "depends_on":
            entry = entries_of(node, "depends_on")[other]
            fields = {} if is_null(entry) else plain(entry)
            found[other] = {key: value for key, value in fields.items() if not key.startswith("x-")}
        else:
            # A container that shares something of another's that ends with it is restarted with it.
            found.setdefault(other, {"restart": attribute != "volumes_from"})
    return found


def _attachments(node: Mapping) -> dict[str, Any]:
    mode = text_of(node, "network_mode")
    if mode is not None and mode != "bridge":
        return {}
    known = ("aliases", "ipv4_address", "ipv6_address", "mac_address", "priority", "gw_priority")
    found = {
        key: {name: plain(value) for name, value in _entries(entry) if name in known and not is_null(value)}
        for key, entry in entries_of(node, "networks").items()
    }
    return found or {"default": {}}


def _entries(node: Node) -> list[tuple[str, Node]]:
    return list(node.entries.items()) if isinstance(node, Mapping) else []


def _security_option(text: str, directory: Path) -> str:
    """A profile's path is relative to the project directory, as in Docker Compose."""
    name, separator, value = text.partition("=" if "=" in text else ":")
    is_path = name == "seccomp" and value not in ("unconfined", "builtin", "")
    return f"{name}{separator}{directory / value}" if is_path else text


def _healthcheck(node: Mapping) -> dict[str, Any]:
    said = {key: value for key, value in _entries(node) if not key.startswith("x-") and not is_null(value)}
    fields: dict[str, Any] = {key: plain(value) for key, value in said.items()}
    return {"test": ["NONE"]} if fields.pop("disable", False) else fields


def _trigger(node: Node) -> dict[str, Any]:
    said = {key: value for key, value in _entries(node) if not key.startswith("x-") and not is_null(value)}
    fields: dict[str, Any] = {key: plain(value) for key, value in said.items() if key != "exec"}
    if isinstance(run := said.get("exec"), Mapping):
        fields["exec"] = {key: plain(value) for key, value in _entries(run) if not is_null(value)}
        fields["exec"]["environment"] = pairs(run, "environment")
    return fields


def _hosts(node: Mapping) -> list[tuple[str, str]]:
    lines = [str(item.value) for item in items_of(node, "extra_hosts") if isinstance(item, Scalar)]
    return [(name, address) for name, _, address in (line.partition("=") for line in lines)]


def _resources(service: Mapping, kind: str) -> dict[str, Node]:
    deploy = service.get("deploy")
    resources = deploy.get("resources") if isinstance(deploy, Mapping) else None
    return entries_of(resources, kind) if isinstance(resources, Mapping) else {}


def _restart_policy(service: Mapping) -> dict[str, Any] | None:
    """`deploy.restart_policy` in the words of `restart`."""
    deploy = service.get("deploy")
    policy = deploy.get("restart_policy") if isinstance(deploy, Mapping) else None
    if not isinstance(policy, Mapping):
        return None
    condition = text_of(policy, "condition") or "any"
    attempts = policy.get("max_attempts")
    most = plain(attempts) if condition == "on-failure" and attempts is not None else 0
    return {"policy": {"none": "no", "on-failure": "on-failure"}.get(condition, "always"), "max_retries": most}


def _device(node: Mapping) -> dict[str, Any]:
    fields: dict[str, Any] = {key: plain(value) for key, value in _entries(node) if not key.startswith("x-")}
    return {"target": fields.get("source")} | fields


def _grants(service: Mapping, name: str, directory: str) -> list[dict[str, Any]]:
    grants = []
    for item in items_of(service, name):
        said = {key: plain(value) for key, value in _entries(item) if not key.startswith("x-") and not is_null(value)}
        if "source" not in said:
            continue
        target = said.get("target") or said["source"]
        path = target if target.startswith("/") else directory + target  # of a build's secrets it is the id
        grants.append({**said, "target": path})
    return grants


def _logging(service: Mapping) -> dict[str, Any]:
    node = service.get("logging")
    if not isinstance(node, Mapping):
        return {}
    return {"driver": text_of(node, "driver") or "", "options": _texts(node, "options")}


def _hooks(service: Mapping, name: str) -> list[dict[str, Any]]:
    hooks = []
    for item in items_of(service, name):
        if isinstance(item, Mapping):
            said = {key: plain(value) for key, value in _entries(item) if not key.startswith("x-")}
            hooks.append({**said, "environment": pairs(item, "environment")})
    return hooks
