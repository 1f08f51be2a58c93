"""A container as `compose ps` shows it: a row of a table, or an object with Docker Compose's field names."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from composer.api.messages import ContainerSummary, Publisher

FIELDS = (
    "Command", "CreatedAt", "ExitCode", "Health", "ID", "Image", "Labels", "LocalVolumes", "Mounts", "Name", "Names",
    "Networks", "Pid", "Ports", "Project", "Publishers", "RunningFor", "Service", "Size", "State", "Status", "Created",
)  # fmt: skip
"""What `as_docker` has."""
HEADINGS = ("NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS")
_SHORT_ID, _SHORT_COMMAND, _SHORT_MOUNT, _SHORT_ERROR = 12, 20, 15, 60


def as_row(container: ContainerSummary, *, whole: bool = False, now: float | None = None) -> tuple[str, ...]:
    """One line of the table."""
    now = time.time() if now is None else now
    return (
        container.name,
        container.image,
        _command(container, whole),
        container.service,
        f"{human_duration(now - container.created)} ago",
        status(container, now, whole=whole),
        ports(container.publishers),
    )


def as_docker(container: ContainerSummary, *, whole: bool = False, now: float | None = None) -> dict[str, Any]:
    """The object that `docker compose ps --format json` would print, and the pid."""
    now = time.time() if now is None else now
    mounts = [mount if whole else _shortened(mount, _SHORT_MOUNT) for mount in container.mounts]
    return {
        "Command": _command(container, whole),
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(container.created)),
        "Created": int(container.created),
        "ExitCode": container.exit_code,
        "Health": container.health,
        "ID": container.id if whole else container.id[:_SHORT_ID],
        "Image": container.image,
        "Labels": ",".join(f"{key}={value}" for key, value in container.labels.items()),
        "LocalVolumes": str(sum(not mount.startswith("/") for mount in container.mounts)),
        "Mounts": ",".join(mounts),
        "Name": container.name,
        "Names": container.name,
        "Networks": ",".join(container.networks),
        "Pid": container.pid,
        "Ports": ports(container.publishers),
        "Project": container.project,
        "Publishers": [
            {
                "URL": publisher.url,
                "TargetPort": publisher.target_port,
                "PublishedPort": publisher.published_port,
                "Protocol": publisher.protocol,
            }
            for publisher in container.publishers
        ],
        "RunningFor": f"{human_duration(now - container.created)} ago",
        "Service": container.service,
        "Size": "0B",
        "State": container.state,
        "Status": status(container, now, whole=whole),
    }


def status(container: ContainerSummary, now: float, *, whole: bool = False) -> str:
    """`Up 3 minutes (healthy)`, `Exited (1) 5 seconds ago`, and why it could not be started."""
    match container.state:
        case "running":
            text = f"Up {human_duration(now - container.started)}"
            if container.health:
                text += f" ({'health: starting' if container.health == 'starting' else container.health})"
        case "exited" | "dead":
            text = f"Exited ({container.exit_code}) {human_duration(now - container.finished)} ago"
        case "restarting":
            text = f"Restarting ({container.exit_code}) {human_duration(now - container.finished)} ago"
        case other:
            text = other.capitalize()
    error = container.error if whole else _shortened(container.error, _SHORT_ERROR)
    return f"{text}, did not start: {error}" if error else text


def ports(publishers: Sequence[Publisher]) -> str:
    """`0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`; runs of ports are drawn together, exposed ones come first."""
    keyed = sorted(
        set(publishers),
        key=lambda p: (
            p.published_port != 0,
            p.protocol != "tcp",
            ":" in p.url,
            p.url,
            p.target_port,
            p.published_port,
        ),
    )
    shown = []
    runs = groupby(
        enumerate(keyed),
        # Along a run of consecutive ports both distances stay the same.
        key=lambda item: (
            item[1].url,
            item[1].protocol,
            item[1].target_port - item[0],
            item[1].published_port - item[0] if item[1].published_port else None,
        ),
    )
    for _, run in runs:
        members = [publisher for _, publisher in run]
        first, last = members[0], members[-1]
        target = _range(first.target_port, last.target_port) + f"/{first.protocol}"
        if not first.published_port:
            shown.append(target)
            continue
        host = f"[{first.url}]" if ":" in first.url else first.url
        published = _range(first.published_port, last.published_port)
        shown.append(f"{host}:{published}->{target}" if host else f"{published}->{target}")
    return ", ".join(shown)


def human_duration(seconds: float) -> str:
    """How Docker says a duration: `Less than a second`, `5 seconds`, `About a minute`, `3 hours`, `2 weeks`."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    minutes, hours = whole // 60, round(seconds / 3600)
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for size, limit, unit in ((24, 24 * 14, "days"), (24 * 7, 24 * 60, "weeks"), (24 * 30, 24 * 730, "months")):
        if hours < limit:
            return f"{hours // size} {unit}"
    return f"{hours // (24 * 365)} years"


def _command(container: ContainerSummary, whole: bool) -> str:
    command = shlex.join(container.command)
    shown = command if whole else _shortened(command, _SHORT_COMMAND)
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
