"""Progress: what the engine is doing, in the way `--progress` asks for.

    tty    a live block, one line a resource: what is going on, for how long, waiting for whom
    plain  a line an event, as Docker Compose writes it: ` Container shop-web-1  Started`
    json   a JSON object a line, with Docker Compose's fields (id status text details) and ours
    quiet  nothing

All of it goes to stderr; stdout is for what the command answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from composer.api.messages import Event
from composer.cli.render.answer import compact
from composer.cli.render.errors import show_warning
from composer.cli.render.live import LiveProgress, show_notice
from composer.cli.render.status import describe, is_done, is_measure, is_notice, is_step, words
from composer.cli.render.steps import StepLog
from composer.cli.render.terminal import Screen
from composer.cli.session import PROGRESS
from composer.errors import UsageError


class Progress(Protocol):
    """Shows events; `interval` is how often `tick` wants to be called, None for never."""

    interval: float | None

    def event(self, event: Event) -> None:
        """Show that something happened."""

    def tick(self) -> None:
        """Some time has passed."""

    def notice(self, message: str) -> None:
        """Tell the user something beside the events."""

    def above(self, write: Callable[[], None]) -> None:
        """Let `write` print lines of its own, undisturbed."""

    def finish(self) -> None:
        """Nothing more will come; idempotent, and events after it begin anew."""


class QuietProgress:
    """Shows nothing but notices."""

    interval: float | None = None

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def event(self, event: Event) -> None:
        """Warnings are told even so; everything else is not."""
        if event.status == "warning":
            show_notice(self._screen, event)

    def tick(self) -> None:
        """Nothing moves."""

    def notice(self, message: str) -> None:
        """Notices are warnings that concern no file."""
        show_warning(self._screen, message)

    def above(self, write: Callable[[], None]) -> None:
        """Nothing is in the way."""
        write()

    def finish(self) -> None:
        """Nothing to end."""


class PlainProgress(QuietProgress):
    """A line an event, and while nothing happens now and then a line about what is being waited for."""

    interval: float | None = 1.0
    PATIENCE = 5.0

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._busy: dict[tuple[str, str], tuple[float, Event]] = {}
        self._spoke = time.monotonic()
        self._has_failed = False
        self._steps = StepLog()

    def event(self, event: Event) -> None:
        """Print the event's line."""
        if is_notice(event):
            show_notice(self._screen, event)
            return
        if is_step(event):
            if lines := self._steps.lines(event):
                self._say(lines)
            return
        key = (event.resource, event.name)
        if is_measure(event):
            if key in self._busy:
                self._busy[key] = (self._busy[key][0], event)
            return
        self._busy.pop(key, None)
        if not is_done(event):
            self._busy[key] = (time.monotonic(), event)
        if event.status == "error" and not self._has_failed:
            self._has_failed = True
            event = replace(event, detail="", hint="")  # the first error is what the command ends with, in these words
        self._say(f" {describe(event)}  {words(event)}\n")
        if event.hint:
            self._say(f"   hint: {event.hint}\n")

    def tick(self) -> None:
        """After some silence, say what is still going on."""
        now = time.monotonic()
        if self._busy and now - self._spoke >= self.PATIENCE:
            for since, event in self._busy.values():
                self._say(f" {describe(event)}  {words(event)} ({now - since:.0f}s)\n")

    def finish(self) -> None:
        """Forget what was going on."""
        self._busy.clear()
        self._has_failed = False

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        self._screen.write(line)


class JsonProgress(QuietProgress):
    """A JSON object an event; what wrappers read."""

    def event(self, event: Event) -> None:
        """Print the event as Docker Compose's JSON progress does, with our fields beside."""
        fallback = "Done" if is_done(event) else "Working"
        status = {"warning": "Warning", "error": "Error", "failed": "Error", "interrupted": "Error"}.get(
            event.status, fallback
        )
        record = {
            "id": f"{event.resource.capitalize()} {event.name}".rstrip(),
            "status": status,
            "text": event.status.capitalize(),
            "details": event.detail,
            "resource": event.resource,
            "name": event.name,
            "service": event.service,
            "cause": event.cause,
            "hint": event.hint,
            "seconds": event.seconds,
            "parent_id": f"Image {event.parent}" if event.parent else "",
            "current": event.current,
            "total": event.total,
            "percent": 100 * event.current // event.total if event.total else 0,
        }
        self._write({key: value for key, value in record.items() if value})

    def notice(self, message: str) -> None:
        """Print the notice as an object of its own."""
        self._write({"status": "Warning", "text": message})

    def _write(self, record: dict[str, object]) -> None:
        self._screen.write(compact(record) + "\n")


def choose_progress(mode: str, screen: Screen) -> Progress:
    """The progress that `--progress` or `COMPOSE_PROGRESS` names. Raises UsageError for an unknown one."""
    match mode:
        case "auto" | "":
            return LiveProgress(screen) if screen.tty and screen.colour else PlainProgress(screen)
        case "tty":
            return LiveProgress(screen)
        case "plain":
            return PlainProgress(screen)
        case "json":
            return JsonProgress(screen)
        case "quiet":
            return QuietProgress(screen)
        case _:
            raise UsageError(f"`{mode}` is not a way to show progress", hint=f"use one of {', '.join(PROGRESS)}")
