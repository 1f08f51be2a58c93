"""The live block: one line a resource, redrawn in place.

    [+] Running 2/3
     ✔ Network shop_default   Created              0.1s
     ✔ Container shop-db-1    Healthy              1.2s
     ⠹ Container shop-web-1   Waiting for db       1.1s

The block is as high as the terminal at most; what is done leaves first. `finish` prints it a last time in full, as
ordinary lines that scroll away. Only cursor-up and erase are used (ECMA-48 CUU, ED), which every terminal has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from composer.api.messages import Event
from composer.cli.render.errors import show_warning
from composer.cli.render.images import human_size
from composer.cli.render.status import describe, is_done, is_notice, is_step, last_line, words
from composer.cli.render.terminal import BLUE, BOLD, DIM, GREEN, RED, YELLOW, Screen, clean, cut, width_of

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_STATUS_WIDTH = 20
_SHORTEST_FRAME = 0.05
"""Seconds between two drawings: fifty containers starting at once make hundreds of events."""

_SHORTEST_MEASURE = 0.3
"""Seconds before a speed means anything."""


@dataclass(slots=True)
class _Line:
    """One resource: its newest event, and when its work began and ended."""

    event: Event
    began: float
    ended: float | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether it is worth a line when all is over: steps that went well are not, nor layers that did not come."""
        if self.event.resource == "layer":
            return self.ended is not None
        return not is_step(self.event) or self.event.status == "failed"


def show_notice(screen: Screen, event: Event) -> None:
    """Print what concerns the project as a whole: a warning's sentence, or whom it waits for."""
    if event.status == "warning":
        show_warning(screen, event.detail or words(event), event.hint)
    else:
        screen.write(f" {describe(event)}  {words(event)}\n")


class LiveProgress:
    """Shows events on a terminal."""

    interval: float | None = 0.1

    def __init__(self, screen: Screen, now: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._now = now
        self._lines: dict[tuple[str, str, str], _Line] = {}
        self._drawn = 0
        self._drawn_at = float("-inf")
        self._spin = 0

    def event(self, event: Event) -> None:
        """Show the event on its resource's line, or above the block if it is about the whole."""
        if is_notice(event):
            self.above(lambda: show_notice(self._screen, event))
            return
        now = self._now()
        line = self._lines.setdefault((event.resource, event.parent, event.id or event.name), _Line(event, now))
        if event.status == "output" and not last_line(event.detail):
            return
        if line.ended is not None and not is_done(event):
            line.began = now
        line.event = event
        line.ended = now if is_done(event) else None
        if now - self._drawn_at >= _SHORTEST_FRAME:
            self._draw()

    def tick(self) -> None:
        """Turn the spinner and the clocks, and show what was too quick for a drawing of its own."""
        self._spin += 1
        if self._lines:
            self._draw()

    def notice(self, message: str) -> None:
        """Print a warning above the block."""
        self.above(lambda: show_warning(self._screen, message))

    def above(self, write: Callable[[], None]) -> None:
        """Take the block away, let `write` print, and draw it again below."""
        if self._drawn:
            self._screen.write(self._erase())
        write()
        if self._lines:
            self._draw()

    def finish(self) -> None:
        """Leave the whole block standing and begin anew with the next event."""
        if self._lines:
            self._screen.write(self._erase() + self._text([line for line in self._ordered() if line.is_lasting]))
        for line in self._lines.values():
            if line.event.status == "warning" and line.event.hint:  # an error is told again as the command ends
                self._screen.write(f"   hint: {clean(line.event.hint)}\n")
        self._lines.clear()
        self._drawn = 0

    def _draw(self) -> None:
        room = max(self._screen.height - 2, 1)
        lines = self._ordered()
        surplus = len(lines) - room
        if surplus > 0:
            done = [line for line in lines if line.ended is not None][:surplus]
            lines = [line for line in lines if line not in done][:room]
        text = self._text(lines)
        self._screen.write(self._erase() + text)
        self._drawn = text.count("\n")
        self._drawn_at = self._now()

    def _ordered(self) -> list[_Line]:
        """Every line, layers and steps below the image that they belong to."""
        below: dict[str, list[_Line]] = {}
        for line in self._lines.values():
            below.setdefault(line.event.parent, []).append(line)
        ordered: list[_Line] = []
        for line in below.pop("", []):
            ordered += [line, *(below.pop(line.event.name, []) if line.event.resource == "image" else [])]
        return ordered + [line for lines in below.values() for line in lines]

    def _erase(self) -> str:
        erase = f"\x1b[{self._drawn}A\r\x1b[J" if self._drawn else ""
        self._drawn = 0
        return erase

    def _text(self, lines: list[_Line]) -> str:
        done = sum(line.ended is not None for line in self._lines.values())
        names = max((width_of(describe(line.event)) for line in lines), default=0)
        what = "Building" if any(is_step(line.event) for line in self._lines.values()) else "Running"
        head = self._screen.paint(f"[+] {what} {done}/{len(self._lines)}", BOLD if done < len(self._lines) else BLUE)
        return "".join(f"{text}\n" for text in (head, *(self._line(line, names) for line in lines)))

    def _line(self, line: _Line, names: int) -> str:
        sign, colour = self._sign(line)
        name, text = describe(line.event), words(line.event) + self._speed(line)
        seconds = line.event.seconds or (self._now() if line.ended is None else line.ended) - line.began
        clock = f"{seconds:6.1f}s"
        room = self._screen.width - 1
        # One column stays free: a full last column makes some terminals wrap, and the block would lose count.
        text = cut(text, max(room - 3 - names - 2 - len(clock) - 1, 8))
        left = f"{name}{' ' * (names - width_of(name))}  {self._screen.paint(text, colour)}"
        pad = " " * max(_STATUS_WIDTH - width_of(text), 0)
        if 3 + names + 2 + max(width_of(text), _STATUS_WIDTH) + len(clock) + 1 > room:
            return f" {self._screen.paint(sign, colour)} {cut(name, max(room - 3 - width_of(text) - 2, 4))}  {text}"
        return f" {self._screen.paint(sign, colour)} {left}{pad} {self._screen.paint(clock, DIM)}"

    def _speed(self, line: _Line) -> str:
        """How fast bytes come or go, for what moves some."""
        passed = self._now() - line.began
        if line.ended is not None or not line.event.current or passed < _SHORTEST_MEASURE:
            return ""
        return f", {human_size(line.event.current / passed)}/s"

    def _sign(self, line: _Line) -> tuple[str, str]:
        if line.event.status in ("error", "failed", "interrupted"):
            return "✘", RED
        if line.event.status == "warning":
            return "!", YELLOW
        if line.ended is not None:
            return "✔", GREEN
        return _SPINNER[self._spin % len(_SPINNER)], BLUE
