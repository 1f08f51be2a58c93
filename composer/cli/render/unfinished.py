"""What a request has begun and not ended, to be told when somebody breaks it off."""

from __future__ import annotations

from dataclasses import replace

from composer.api.messages import Event
from composer.cli.render.events import Progress
from composer.cli.render.status import is_done, is_notice, is_step


class Unfinished:
    """Watches a request's events go by."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], Event] = {}

    def take(self, event: Event) -> None:
        """Something has happened. Layers and steps are parts of an image, which is told of as a whole."""
        if is_notice(event) or is_step(event) or event.resource == "layer":
            return
        key = (event.resource, event.name)
        if is_done(event):
            self._events.pop(key, None)
        else:
            self._events[key] = event

    def break_off(self, progress: Progress) -> None:
        """Show that nothing more will come of what is not finished."""
        for event in self._events.values():
            progress.event(replace(event, status="interrupted", detail="", cause="", current=0, total=0))
        self._events.clear()
