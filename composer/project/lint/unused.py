"""Rules about what is declared and serves nobody, and what reaches too far."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from composer.project.document import Mapping
from composer.project.lint.finding import Finding
from composer.project.merged import items_of, key_mark, section, services_of, text_of

if TYPE_CHECKING:
    from composer.project.loader import Loaded


def unused(loaded: Loaded) -> Iterator[Finding]:
    """A volume, network, secret or config that no service uses is left over, or somewhere a name is wrong."""
    project = loaded.project
    services = [*project.services.values(), *project.disabled.values()]
    used: dict[str, set[str | None]] = {
        "volumes": {mount.source for service in services for mount in service.volumes},
        "networks": {*(key for service in services for key in service.networks), "default"},
        "secrets": {
            *(grant.source for service in services for grant in service.secrets),
            *(grant.source for service in services if service.build for grant in service.build.secrets),
        },
        "configs": {grant.source for service in services for grant in service.configs},
    }
    for name, keys in used.items():
        for key in section(loaded.tree, name):
            if key not in keys:
                mark = key_mark(loaded.tree, name, key)
                yield Finding(f"{name}.{key} is used by no service", mark, "remove it, or mount it where it belongs")


def engine_socket(loaded: Loaded) -> Iterator[Finding]:
    """Whoever can write to `/var/run/docker.sock` is root on the machine; and here there is no Docker behind it."""
    for name, service in services_of(loaded.tree).items():
        for mount in items_of(service, "volumes"):
            if isinstance(mount, Mapping) and (text_of(mount, "source") or "").endswith("/docker.sock"):
                message = f"services.{name}.volumes: the Docker socket gives the container the whole machine"
                yield Finding(message, mount.mark, "leave it out where you can, and never publish such a service")
