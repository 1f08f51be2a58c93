"""What is known of a build beyond the operation itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from composer.api.messages import BuildFlags
from composer.engine.building.freshness import Inputs
from composer.lock.pins import Pins
from composer.project.model import Project
from composer.project.origins import Origins

if TYPE_CHECKING:
    from composer.build.files import Tree


@dataclass(frozen=True, slots=True)
class Look:
    """The inputs of a build as they were at a time."""

    salt: str
    inputs: Inputs
    trees: dict[str, Tree]
    """The contexts, by name."""
    time: float
    """By the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Errand:
    """For whom something is built: the request beyond the operation itself."""

    project: Project
    origins: Origins
    flags: BuildFlags = field(default_factory=BuildFlags)
    surroundings: Mapping[str, str] = field(default_factory=dict, repr=False)
    pins: Pins = field(default_factory=Pins)
    looked: dict[str, Look] = field(default_factory=dict, repr=False, compare=False)
    """What was found by service when it was judged whether its image is old: the build need not look again."""
