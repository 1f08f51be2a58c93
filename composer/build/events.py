"""What a build tells while it runs: one stream of events, enough to draw every line of the progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class StepStatus(StrEnum):
    """Where a step is."""

    STARTED = "started"
    OUTPUT = "output"
    """`output` holds more of what it wrote; of a RUN, both its streams."""
    PROGRESS = "progress"
    """`current` of `total` bytes: a base image that comes."""
    CACHED = "cached"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WARNING = "warning"
    """`detail` says of what; about the build as a whole where there is no step."""


@dataclass(frozen=True, slots=True)
class StepEvent:
    """Something about one step. A step is `started` once, then has output, then one of the last words."""

    step: int
    """Its number within this build, stable from build to build of the same file; -1 for the build itself."""
    name: str
    """`[web 3/7] RUN make`."""
    status: StepStatus
    time: float = 0.0
    """Seconds it took, with the last word."""
    output: str = ""
    detail: str = ""
    """Why it failed; why it was not cached."""
    current: int = 0
    total: int = 0


Report = Callable[[StepEvent], None]
