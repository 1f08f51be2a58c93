"""The parts of a service in the words of the model: what the tree says, long forms only."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

from composer.project.document import Mapping, Node, Scalar, is_null, plain
from composer.project.environment import pairs
from composer.project.merged import (
    dependencies,
    entries_of,
    items_of,
    text_of,
)


def texts_of(node: Mapping, key: str) -> dict[str, str]:
    """A mapping of texts; what has no value is empty."""
    return {name: value or "" for name, value in pairs(node, key).items()}


def extensions_of(node: Mapping) -> dict[str, Any]:
    """The `x-` attributes of a section."""
    return {key: plain(value) for key, value in node.entries.items() if key.startswith("x-")}


def port_of(node: Mapping) -> dict[str, Any]:
    """A port; a range of published ones as its ends."""
    fields: dict[str, Any] = {key: plain(value) for key, value in node.entries.items() if not key.startswith("x-")}
    first, dash, last = str(fields.get("published") or "").partition("-")
    if dash:
        fields |= {"published": None, "published_range": (int(first), int(last))}
    return fields


def mount_of(node: Mapping) -> dict[str, Any]:
    """A mount, its options beside it, its target without detours."""
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


def needs_of(node: Mapping) -> dict[str, Any]:
    """What it waits for, by service: written, and what follows from other attributes."""
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


def attachments_of(node: Mapping) -> dict[str, Any]:
    """Its places on networks."""
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


def security_option(text: str, directory: Path) -> str:
    """A profile's path is relative to the project directory, as in Docker Compose."""
    name, separator, value = text.partition("=" if "=" in text else ":")
    is_path = name == "seccomp" and value not in ("unconfined", "builtin", "")
    return f"{name}{separator}{directory / value}" if is_path else text


def healthcheck_of(node: Mapping) -> dict[str, Any]:
    """Its healthcheck."""
    said = {key: value for key, value in _entries(node) if not key.startswith("x-") and not is_null(value)}
    fields: dict[str, Any] = {key: plain(value) for key, value in said.items()}
    return {"test": ["NONE"]} if fields.pop("disable", False) else fields


def trigger_of(node: Node) -> dict[str, Any]:
    """An entry of `develop.watch`."""
    said = {key: value for key, value in _entries(node) if not key.startswith("x-") and not is_null(value)}
    fields: dict[str, Any] = {key: plain(value) for key, value in said.items() if key != "exec"}
    if isinstance(run := said.get("exec"), Mapping):
        fields["exec"] = {key: plain(value) for key, value in _entries(run) if not is_null(value)}
        fields["exec"]["environment"] = pairs(run, "environment")
    return fields


def hosts_of(node: Mapping) -> list[tuple[str, str]]:
    """Lines of `/etc/hosts`: name and address."""
    lines = [str(item.value) for item in items_of(node, "extra_hosts") if isinstance(item, Scalar)]
    return [(name, address) for name, _, address in (line.partition("=") for line in lines)]


def resources_of(service: Mapping, kind: str) -> dict[str, Node]:
    """What `deploy.resources` says of `kind`: `limits` or `reservations`."""
    deploy = service.get("deploy")
    resources = deploy.get("resources") if isinstance(deploy, Mapping) else None
    return entries_of(resources, kind) if isinstance(resources, Mapping) else {}


def restart_policy_of(service: Mapping) -> dict[str, Any] | None:
    """`deploy.restart_policy` in the words of `restart`."""
    deploy = service.get("deploy")
    policy = deploy.get("restart_policy") if isinstance(deploy, Mapping) else None
    if not isinstance(policy, Mapping):
        return None
    condition = text_of(policy, "condition") or "any"
    attempts = policy.get("max_attempts")
    most = plain(attempts) if condition == "on-failure" and attempts is not None else 0
    return {"policy": {"none": "no", "on-failure": "on-failure"}.get(condition, "always"), "max_retries": most}


def device_of(node: Mapping) -> dict[str, Any]:
    """A device."""
    fields: dict[str, Any] = {key: plain(value) for key, value in _entries(node) if not key.startswith("x-")}
    return {"target": fields.get("source")} | fields


def grants_of(service: Mapping, name: str, directory: str) -> list[dict[str, Any]]:
    """Secrets, configs or a build's secrets that it is given, below `directory` where a target is no path."""
    grants = []
    for item in items_of(service, name):
        said = {key: plain(value) for key, value in _entries(item) if not key.startswith("x-") and not is_null(value)}
        if "source" not in said:
            continue
        target = said.get("target") or said["source"]
        path = target if target.startswith("/") else directory + target  # of a build's secrets it is the id
        grants.append({**said, "target": path})
    return grants


def logging_of(service: Mapping) -> dict[str, Any]:
    """Its logging."""
    node = service.get("logging")
    if not isinstance(node, Mapping):
        return {}
    return {"driver": text_of(node, "driver") or "", "options": texts_of(node, "options")}


def hooks_of(service: Mapping, name: str) -> list[dict[str, Any]]:
    """Commands at a point of its life."""
    hooks = []
    for item in items_of(service, name):
        if isinstance(item, Mapping):
            said = {key: plain(value) for key, value in _entries(item) if not key.startswith("x-")}
            hooks.append({**said, "environment": pairs(item, "environment")})
    return hooks
