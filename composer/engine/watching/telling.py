"""What a session tells: to those who follow it, and to `--status` afterwards."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from composer.api.messages import Event
from composer.errors import ComposerError, ProjectError

_REMEMBERED = 20
"""How many events `--status` shows."""


class Telling:
    """The events of one project's watch."""

    def __init__(self, project: str, now: Callable[[], float]) -> None:
        """`now` is the time of the wall clock."""
        self.events: deque[tuple[float, Event]] = deque(maxlen=_REMEMBERED)
        """The last ones, with when they were."""
        self.listeners: set[asyncio.Queue[Event | None]] = set()
        self._project = project
        self._now = now
        self._warnings: frozenset[str] = frozenset()

    def emit(self, event: Event) -> None:
        """Tell an event."""
        self.events.append((self._now(), event))
        for queue in self.listeners:
            queue.put_nowait(event)

    def say(self, status: str, detail: str, hint: str = "") -> None:
        """Tell something of the project as a whole."""
        self.emit(Event("watch", self._project, status, detail=detail, hint=hint))

    def warn(self, texts: Iterable[str]) -> None:
        """Tell warnings, but for those that were told the last time."""
        texts = [text for text in texts if text]
        for text in texts:
            if text not in self._warnings:
                self.say("warning", text)
        self._warnings = frozenset(texts)

    def fail(self, error: ComposerError) -> None:
        """Tell what went wrong; all of what is wrong with a project, with the places."""
        if not isinstance(error, ProjectError):
            self.say("error", error.message, error.hint)
            return
        for diagnostic in error.diagnostics:
            place = diagnostic.location
            where = f"{Path(place.file).name}:{place.line}: " if place else ""
            self.say("error", f"{where}{diagnostic.message}", diagnostic.hint)

    def end(self) -> None:
        """Tell that nothing follows."""
        for queue in self.listeners:
            queue.put_nowait(None)
