"""How far the parts of an image are on their way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from composer.oci.digest import Digest


class Phase(StrEnum):
    """What is being done about a layer."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    UNPACKING = "unpacking"
    PULLED = "pulled"
    UPLOADING = "uploading"
    PUSHED = "pushed"
    PRESENT = "present"
    """It was there already."""


@dataclass(frozen=True, slots=True)
class LayerProgress:
    """One layer, now; both counts in bytes of the blob."""

    digest: Digest
    phase: Phase
    current: int
    total: int


Report = Callable[[LayerProgress], None]
"""Told whenever something changes, often."""
