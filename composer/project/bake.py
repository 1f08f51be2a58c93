"""The builds of a project as a file for `docker buildx bake`, which `compose build --print` shows.

The same fields, in the same order, as Docker Compose's: <https://github.com/docker/compose/blob/main/pkg/compose/build_bake.go>.
Every service that builds is a target; the group `default` has those that were asked for. Values of secrets are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from composer.project.model import Build, Grant, Project, Service, Ulimit

SERVICE = "service:"


def bake(project: Project, services: Iterable[str], labels: Mapping[str, str], **flags: Any) -> dict[str, Any]:
    """The file as data; `labels` are those that every image gets, and each one `com.docker.compose.service` besides.

    `flags` are the command line's: `args`, `ssh` (a mapping), `pull`, `no_cache`, `push` and `check`.
    """
    every = {name: service for name, service in sorted(project.services.items()) if service.build}
    targets = _target_names(sorted(project.services))
    return {
        "group": {"default": {"targets": [targets[name] for name in services if name in every]}},
        "target": {
            targets[name]: {key: value for key, value in _target(project, each, targets, labels, flags) if value}
            for name, each in every.items()
        },
    }


def _target(
    project: Project, service: Service, targets: Mapping[str, str], labels: Mapping[str, str], flags: Mapping[str, Any]
) -> Iterable[tuple[str, Any]]:
    build = service.build
    assert build is not None
    args = {**build.args, **flags.get("args", {})}
    ssh = {**{name: path or "" for name, path in build.ssh.items()}, **flags.get("ssh", {})}
    insecure = ("security.insecure",) if build.privileged else ()
    yield "context", build.context
    yield "contexts", {name: _context(value, targets) for name, value in sorted(build.additional_contexts.items())}
    yield "dockerfile", _dockerfile(build)
    yield "dockerfile-inline", _escaped(build.dockerfile_inline or "")
    yield "args", {name: _escaped(value) for name, value in sorted(args.items())}
    own = {**build.labels, **labels, "com.docker.compose.service": service.name}
    yield "labels", dict(sorted(own.items()))
    yield "tags", [*build.tags, service.image or f"{project.name}-{service.name}"]
    yield "cache-from", list(build.cache_from)
    yield "cache-to", list(build.cache_to)
    yield "target", build.target
    yield "secret", [line for grant in build.secrets if (line := _secret(project, grant))]
    yield "ssh", [f"{name}={path}" for name, path in sorted(ssh.items())]
    yield "platforms", list(build.platforms)
    yield "pull", build.pull or flags.get("pull", False)
    yield "no-cache", build.no_cache or flags.get("no_cache", False)
    yield "network", build.network
    yield "no-cache-filter", list(build.no_cache_filter)
    yield "shm-size", build.shm_size
    yield "ulimits", [_ulimit(name, limit) for name, limit in sorted(build.ulimits.items())]
    yield "call", "lint" if flags.get("check") else ""
    yield "entitlements", list(dict.fromkeys((*build.entitlements, *insecure)))
    yield "extra-hosts", _hosts(build)
    yield "output", _outputs(service, build, flags)


def _target_names(services: Iterable[str]) -> dict[str, str]:
    """A name for each service's target: bake allows no dots, and two names must not fall together."""
    names: dict[str, str] = {}
    for service in services:
        name = service.replace(".", "_")
        while name in names.values():
            name += "_"
        names[service] = name
    return names


def _context(value: str, targets: Mapping[str, str]) -> str:
    return f"target:{targets.get(value.removeprefix(SERVICE), '')}" if value.startswith(SERVICE) else value


def _dockerfile(build: Build) -> str:
    if build.dockerfile is None or not build.context.startswith("/"):
        return build.dockerfile or ""
    path = Path(build.context, build.dockerfile)
    return str(path.parent.resolve() / path.name)


def _secret(project: Project, grant: Grant) -> str:
    file = project.secrets[grant.source]
    if file.environment is not None:
        return f"id={grant.target},type=env,env={file.environment}"
    return f"id={grant.target},type=file,src={file.file}" if file.file is not None else ""


def _ulimit(name: str, limit: Ulimit) -> str:
    return f"{name}={limit.soft}" if limit.soft == limit.hard else f"{name}={limit.soft}:{limit.hard}"


def _hosts(build: Build) -> dict[str, str]:
    hosts: dict[str, str] = {}
    for name, address in sorted(build.extra_hosts):
        hosts[name] = f"{hosts[name]},{address}" if name in hosts else address
    return hosts


def _outputs(service: Service, build: Build, flags: Mapping[str, Any]) -> list[str]:
    push = bool(flags.get("push")) and service.image is not None
    if flags.get("check"):
        return []
    if len(build.platforms) > 1:
        return [f"type=image,push={str(push).lower()}"]
    return ["type=registry" if push else "type=docker"]


def _escaped(text: str) -> str:
    """Bake fills in `${…}` itself."""
    return text.replace("${", "$${")
