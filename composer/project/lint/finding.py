"""What a rule says: one mistake, its place, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from composer.project.document import Mark

if TYPE_CHECKING:
    from composer.project.loader import Loaded


class Level(StrEnum):
    """How bad it is; `check` fails on anything but notes."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake."""

    message: str
    mark: Mark | None
    fix: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of mistake."""

    code: str
    name: str
    level: Level
    check: Callable[[Loaded], Iterable[Finding]]

    @property
    def doc(self) -> str:
        """Why it matters, for people who read the list of rules."""
        return (self.check.__doc__ or "").strip()
