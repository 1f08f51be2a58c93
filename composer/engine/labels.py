"""The labels that Docker Compose puts on every container; editors and dashboards find a project's containers by them.

<https://github.com/docker/compose/blob/main/pkg/api/labels.go>
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from composer import __version__
from composer.engine.world import DesiredContainer, Need
from composer.project.model import Project

PREFIX = "com.docker.compose."
PROJECT = PREFIX + "project"
SERVICE = PREFIX + "service"
NUMBER = PREFIX + "container-number"
ONE_OFF = PREFIX + "oneoff"
CONFIG_HASH = PREFIX + "config-hash"
DEPENDS_ON = PREFIX + "depends_on"
IMAGE = PREFIX + "image"
SLUG = PREFIX + "slug"
WORKING_DIR = PREFIX + "project.working_dir"
CONFIG_FILES = PREFIX + "project.config_files"
VERSION = PREFIX + "version"
NETWORK = PREFIX + "network"
VOLUME = PREFIX + "volume"


def labelled(container: DesiredContainer, project: Project, slug: str = "") -> DesiredContainer:
    """`container` with the Compose labels over its own; they are no part of its hash."""
    config = container.config
    ours = {
        PROJECT: project.name,
        SERVICE: container.service,
        NUMBER: str(container.number),
        ONE_OFF: str(container.one_off),
        CONFIG_HASH: container.config_hash,
        DEPENDS_ON: depends_on(container.needs),
        IMAGE: config.image_id,
        WORKING_DIR: project.working_dir,
        CONFIG_FILES: ",".join(project.compose_files),
        VERSION: __version__,
    }
    if slug:
        ours[SLUG] = slug
    return replace(container, config=replace(config, labels={**config.labels, **ours}))


def depends_on(needs: Iterable[Need]) -> str:
    """The needs as the label spells them: `db:service_healthy:false,cache:service_started:true` (the flag is `restart`)."""
    return ",".join(f"{need.service}:{need.condition.value}:{str(need.restart).lower()}" for need in needs)


def build_labels(project: str, service: str) -> dict[str, str]:
    """The labels of an image that a service builds; they stand over its own."""
    return {PROJECT: project, SERVICE: service, VERSION: __version__}


def network_labels(project: str, key: str, own: Mapping[str, str]) -> dict[str, str]:
    """The labels of a network that the project makes."""
    return {**own, PROJECT: project, NETWORK: key, VERSION: __version__}


def volume_labels(project: str, key: str, own: Mapping[str, str]) -> dict[str, str]:
    """The labels of a volume that the project makes."""
    return {**own, PROJECT: project, VOLUME: key, VERSION: __version__}
