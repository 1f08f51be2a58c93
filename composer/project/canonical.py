"""The project as one Compose file in long forms, as `docker compose config` prints it.

Everything is worked in: variables, env files, merges, `extends`. What was written is shown by the table of attributes
itself; what follows from it is taken from the model. Loading the result gives the same project, so `$` is doubled in every
string. Keys are sorted as Docker Compose sorts them; what says nothing is left out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from composer.project.attributes import COMPOSE
from composer.project.document import Mapping
from composer.project.model import Build, Dependency, Project, Service
from composer.project.mounts import is_windows_path

Shown = dict[str, Any]

_WORKED_IN = ("env_file", "extends", "label_file")
_PLACES = {
    "profiles": "", "develop": "build~", "cgroup": "cgroup_parent~", "cpu_shares": "cpuset~", "gpus": "group_add~",
    "healthcheck": "hostname~", "mem_swappiness": "memswap_limit~", "mac_address": "memswap_limit~~",
    "post_start": "~1", "pre_stop": "~2", "pre_start": "~3",
}  # fmt: skip
"""Docker Compose prints the attributes of a service by name, with these exceptions: what each is sorted as.

And all that begin with `cpu` stand before `command`.
"""

_SECTIONS = ("networks", "volumes", "secrets", "configs")


def canonical(tree: Mapping, project: Project) -> Shown:
    """The services of `project` and what is declared beside them, as plain data ready for YAML or JSON.

    `tree` is the merged tree that the project was made from; of it only what `project` (which may be a part) has is shown.
    """
    shown = COMPOSE.show(tree)
    services = shown.get("services", {})
    data: Shown = {
        "name": project.name,
        "services": {name: _service(services[name], service) for name, service in sorted(project.services.items())},
    }
    for section in _SECTIONS:
        parts = sorted(getattr(project, section).items())
        if (
            section == "networks"
            and section not in shown
            and not any("networks" in s for s in data["services"].values())
        ):
            parts = []  # `network_mode: bridge` is the default network here, and none of the project's elsewhere.
        if parts:
            written = shown.get(section, {})
            data[section] = {key: _named(written.get(key) or {}, part) for key, part in parts}
    data |= {key: value for key, value in shown.items() if key == "models"} | _extensions(shown)
    escaped: Shown = escape(data)
    return escaped


def with_nulls(data: Shown) -> Shown:
    """`data` in the order of Docker Compose's JSON, with what only that says of what was not said at all."""
    nulls = {"command": None, "entrypoint": None}
    services = {name: dict(sorted((nulls | fields).items())) for name, fields in data.get("services", {}).items()}
    for fields in services.values():
        if "deploy" in fields:
            fields["deploy"] = {"resources": {}, "placement": {}} | fields["deploy"]
    networks = {key: {**fields, "ipam": fields.get("ipam", {})} for key, fields in data.get("networks", {}).items()}
    said = data | ({"services": services} if services else {}) | ({"networks": networks} if networks else {})
    return dict(sorted(said.items()))


def as_written(tree: Mapping, name: str) -> Shown:
    """What the files say, merged and in long forms, with nothing that only follows from it; `$` as it is there."""
    shown: Shown = COMPOSE.show(tree)
    return {"name": name} | {key: value for key, value in shown.items() if key not in ("version", "name")}


def without_consequences(tree: Mapping, project: Project) -> Shown:
    """What `canonical` gives, less the networks, names, dependencies and contexts that only follow (`--no-normalize`)."""
    shown: Shown = escape(COMPOSE.show(tree))
    data = canonical(tree, project)
    for name, service in data["services"].items():
        written = shown["services"][name]
        for key in ("networks", "depends_on"):
            said = written.get(key) or {}
            kept = {entry: value for entry, value in service.pop(key, {}).items() if entry in said}
            service |= {key: kept} if kept else {}
        if "build" in service:
            said = written["build"]
            service["build"] = {key: value for key, value in service["build"].items() if key in said}
        data["services"][name] = dict(sorted(service.items(), key=lambda field: _place(field[0])))
    for section in _SECTIONS:
        declared = shown.get(section) or {}
        parts = {key: entry for key, entry in data.pop(section, {}).items() if key in declared}
        for key, entry in parts.items():
            if "name" not in (declared[key] or {}):
                entry.pop("name")
        data |= {section: parts} if parts else {}
    return data


def normalised(data: Shown, name: str) -> Shown:
    """What `as_written` gave with the networks and names that follow from it, for a project called `name`."""
    services = {key: _with_network(service) for key, service in data.get("services", {}).items()}
    sections: Shown = {
        key: {entry: dict(said or {}) for entry, said in (data.get(key) or {}).items()} for key in _SECTIONS
    }
    if any("default" in (service.get("networks") or {}) for service in services.values()):
        sections["networks"].setdefault("default", {})
    for section in sections.values():
        for key, entry in section.items():
            outside = entry.get("external")
            inside = outside.get("name") if isinstance(outside, dict) else None
            entry.setdefault("name", inside or (key if outside else f"{name}_{key}"))
    return data | {"services": services} | {key: section for key, section in sections.items() if section}


def _with_network(service: Shown) -> Shown:
    if "network_mode" in service or service.get("networks"):
        return service
    return service | {"networks": {"default": None}}


def _by_name(value: Any) -> Any:
    """An extension with its keys in order, as Go prints maps."""
    if isinstance(value, dict):
        return {key: _by_name(inner) for key, inner in sorted(value.items())}
    return [_by_name(inner) for inner in value] if isinstance(value, list) else value


def escape(data: Any) -> Any:
    """`data` with `$` doubled in every string, so that it is read as it is."""
    match data:
        case str():
            return data.replace("$", "$$")
        case dict():
            return {key: escape(value) for key, value in data.items()}
        case list() | tuple():
            return [escape(item) for item in data]
        case _:
            return data


def _service(written: Shown, service: Service) -> Shown:
    fields = {name: value for name, value in written.items() if name not in _WORKED_IN}
    parts: dict[str, Callable[[Shown, Service], Any]] = {
        "build": lambda said, s: _build(said.get("build", {}), s.build) if s.build else None,
        "depends_on": lambda _, s: {other: _dependency(entry) for other, entry in sorted(s.depends_on.items())},
        "environment": lambda said, s: _environment(said.get("environment", {}), s),
        "labels": lambda _, s: dict(sorted(s.labels.items())),
        "networks": lambda said, s: (
            {key: said.get("networks", {}).get(key) for key in sorted(s.networks)}
            if "network_mode" not in said
            else None
        ),
        "secrets": lambda said, _: (
            [{"source": one["source"], "target": f"/run/secrets/{one['source']}"} | one for one in said["secrets"]]
            if "secrets" in said
            else None
        ),
        "volumes": lambda said, _: [_mount(mount) for mount in said.get("volumes", ())],
    }
    for name, part in parts.items():
        fields.pop(name, None)
        if value := part(written, service):
            fields[name] = value
    extensions = _extensions(fields)
    fields = {name: value for name, value in fields.items() if name not in extensions}
    return dict(sorted(fields.items(), key=lambda field: _place(field[0]))) | extensions


def _place(name: str) -> str:
    return f"ch{_PLACES.get(name, name)}" if name.startswith("cpu") else _PLACES.get(name, name)


def _environment(written: Shown, service: Service) -> Shown:
    """With the names that nothing gave a value, as nulls."""
    unset = {name: None for name in written if name not in service.environment}
    return dict(sorted({**unset, **service.environment}.items()))


def _dependency(dependency: Dependency) -> Shown:
    restart: Shown = {"restart": True} if dependency.restart else {}
    return {"condition": str(dependency.condition), **restart, "required": dependency.required}


def _build(written: Shown, build: Build) -> Shown:
    fields = {"context": build.context}
    if build.dockerfile is not None:
        fields["dockerfile"] = build.dockerfile
    said = {**written, "args": dict(sorted(build.args.items()))}
    return fields | {key: value for key, value in said.items() if key not in fields and (key != "args" or value)}


def _mount(written: Shown) -> Shown:
    """A path in the container has no `..` and no slash at its end."""
    if is_windows_path(written["target"]):
        return written
    return {**written, "target": "/" + posixpath.normpath(written["target"]).lstrip("/")}


def _named(written: Any, part: Any) -> Shown:
    if part.external:
        return {"name": part.name, "external": True} | _extensions(written)
    return {"name": part.name} | {key: value for key, value in written.items() if key not in ("name", "external")}


def _extensions(written: Shown) -> Shown:
    return {key: _by_name(value) for key, value in sorted(written.items()) if key.startswith("x-")}
