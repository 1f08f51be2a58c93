"""A service of the merged tree as the model has it."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from pathlib import Path
from typing import Any

from composer.project.assemble_parts import (
    attachments_of,
    device_of,
    extensions_of,
    grants_of,
    healthcheck_of,
    hooks_of,
    hosts_of,
    logging_of,
    mount_of,
    needs_of,
    port_of,
    resources_of,
    restart_policy_of,
    security_option,
    texts_of,
    trigger_of,
)
from composer.project.document import Mapping, is_null, plain
from composer.project.environment import VariableFiles, pairs, service_environment, service_labels
from composer.project.interpolate import Lookup
from composer.project.merged import (
    items_of,
    replicas_of,
    text_of,
)
from composer.project.model import Service
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


class ServiceAssembler:
    """Builds the services of one project."""

    def __init__(
        self, lookup: Lookup, directory: Path, shown_from: Path, report: Report, containers: Dict[str, str]
    ) -> None:
        """`containers` are services by the name of their container."""
        self._lookup = lookup
        self._directory = directory
        self._shown_from = shown_from
        self._report = report
        self._containers = containers

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
            "labels": service_labels(name, node, files) | texts_of(node, "labels"),
            "annotations": texts_of(node, "annotations"),
            "sysctls": texts_of(node, "sysctls"),
            "ports": [port_of(item) for item in items_of(node, "ports") if isinstance(item, Mapping)],
            "volumes": [mount_of(item) for item in items_of(node, "volumes") if isinstance(item, Mapping)],
            "depends_on": needs_of(node),
            "network_mode": self._network_mode(mode),
            "networks": attachments_of(node),
            "replicas": replicas_of(node),
            "security_opt": [security_option(plain(item), directory) for item in items_of(node, "security_opt")],
            "devices": [device_of(item) for item in items_of(node, "devices") if isinstance(item, Mapping)],
            "secrets": grants_of(node, "secrets", "/run/secrets/"),
            "configs": grants_of(node, "configs", "/"),
            "logging": logging_of(node),
            "post_start": hooks_of(node, "post_start"),
            "pre_stop": hooks_of(node, "pre_stop"),
            "extra_hosts": hosts_of(node),
            "extensions": extensions_of(node),
        }
        build, healthcheck, restart = node.get("build"), node.get("healthcheck"), text_of(node, "restart")
        develop = node.get("develop")
        if isinstance(develop, Mapping):
            fields["develop"] = {"watch": [trigger_of(item) for item in items_of(develop, "watch")]}
        if isinstance(build, Mapping):
            fields["build"] = self._build(build, directory)
        if isinstance(healthcheck, Mapping):
            fields["healthcheck"] = healthcheck_of(healthcheck)
        if restart is not None:
            policy, _, count = restart.partition(":")
            fields["restart"] = {"policy": policy, "max_retries": int(count or 0)}
        elif deployed := restart_policy_of(node):
            fields["restart"] = deployed
        for kind, limit, field in _RESOURCES:
            value = resources_of(node, kind).get(limit)
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
            "secrets": grants_of(node, "secrets", ""),
            "ssh": pairs(node, "ssh"),
            "labels": texts_of(node, "labels"),
            "additional_contexts": texts_of(node, "additional_contexts"),
            "extra_hosts": hosts_of(node),
        }

    def _arguments(self, build: Mapping) -> dict[str, str]:
        """Build arguments; a name alone is taken from the variables, or left out."""
        given = ((key, self._lookup(key) if value is None else value) for key, value in pairs(build, "args").items())
        return {key: value for key, value in given if value is not None}
