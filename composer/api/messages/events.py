"""What streams of events are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a resource; enough to draw one line of progress."""

    resource: str
    """`network`, `volume`, `watch`, `container`, `image`, `layer`, `step` or `project`."""
    name: str
    status: str
    """`creating created starting started waiting healthy exited stopping stopped removing removed running warning error`;
    images and layers `waiting downloading unpacking pulling pulled uploading pushing pushed present building built`;
    steps of a build `running cached output done failed cancelled`."""
    cause: str = ""
    detail: str = ""
    """For `waiting`: whom it waits for; for `warning` and `error`: the sentence."""
    hint: str = ""
    seconds: float = 0.0
    """How long the operation took, for the statuses that end one."""
    service: str = ""
    parent: str = ""
    """The image that a layer or step belongs to."""
    current: int = 0
    """Bytes that are done of `total`, where something is transferred."""
    total: int = 0
    id: str = ""
    """Tells a step from others of the same name."""


@dataclass(frozen=True, slots=True)
class Result:
    """The last line of a stream of events."""

    ok: bool = True
    changed: int = 0
    """Operations carried out."""
    plan: str = ""
    """`str(plan)` of a dry run."""
    error: dict[str, Any] | None = None
    """`ComposerError.to_wire()`."""
    container: str = ""
