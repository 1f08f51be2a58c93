"""Records as clients see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from composer.api.messages import ContainerSummary, ProjectSummary, Publisher
from composer.engine.records import ContainerRecord, ProjectRecord
from composer.engine.world import State

_MOST = 1000
"""Exposed ports that are shown: an image may say that it listens on all there are."""


def container_summary(record: ContainerRecord) -> ContainerSummary:
    """What `compose ps` needs to know of a container."""
    config = record.config
    open_ports = [Publisher(one.host_ip, one.target, one.host_port, one.protocol) for one in record.ports]
    if record.state is State.RUNNING and record.endpoints:
        published = {(one.target_port, one.protocol) for one in open_ports}
        exposed = (Publisher("", port, 0, protocol) for port, protocol in islice(_exposed(config.exposed), _MOST))
        open_ports += [one for one in exposed if (one.target_port, one.protocol) not in published]
    named = {mount.source for mount in config.mounts if mount.source}
    return ContainerSummary(
        id=record.id,
        name=record.name,
        project=record.project,
        service=record.service,
        number=record.number,
        image=config.image,
        command=config.arguments,
        state=record.state.value,
        health=record.health.value,
        exit_code=record.exit_code,
        pid=record.pid,
        created=record.created,
        started=record.started,
        finished=record.finished,
        publishers=tuple(sorted(open_ports, key=lambda one: (one.target_port, one.protocol, one.url))),
        networks=tuple(record.endpoints),
        labels=dict(config.labels),
        mounts=(*sorted(named), *sorted(record.anonymous.values())),
        one_off=record.one_off,
        error=record.error,
        restarts=record.restarts,
        attach=True,
        image_id=config.image_id,
    )


def _exposed(ports: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The single ports of `FIRST[-LAST]/PROTOCOL`."""
    for text in ports:
        span, _, protocol = text.partition("/")
        first, _, last = span.partition("-")
        yield from ((port, protocol) for port in range(int(first), int(last or first) + 1))


def project_summary(name: str, records: Iterable[ContainerRecord], project: ProjectRecord | None) -> ProjectSummary:
    """What `compose ls` needs to know of a project; its one-offs do not count."""
    states = Counter(record.state for record in records if not record.one_off)
    ordered = sorted(states.items(), key=lambda item: (item[0] is not State.RUNNING, item[0].value))
    status = ", ".join(f"{state.value}({count})" for state, count in ordered)
    return ProjectSummary(name, status, project.config_files if project else ())
