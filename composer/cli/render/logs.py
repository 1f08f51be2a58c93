"""Log lines: `web-1  | text`, the prefixes aligned and coloured by container.

Lines are written whole and in one piece, so that two containers never share one; those of a container's terminal too.
Control characters reach a terminal only; a file or pipe gets the text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from composer.api.messages import LogEntry
from composer.cli.render.terminal import DIM, Screen, clean, clean_line, width_of

# Docker Compose's order: the plain six, then their bright ones; red is left for errors.
_COLOURS = ("36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1")
_REPLACED = re.compile(r"\A[0-9a-f]{12}_")


class LogPrinter:
    """Turns entries into lines; containers that it is told to expect make the prefixes align from the start."""

    def __init__(self, screen: Screen, project: str, *, prefix: bool = True, timestamps: bool = False) -> None:
        self._screen = screen
        self._project = project
        self._prefix = prefix
        self._timestamps = timestamps
        self._colours: dict[str, str] = {}
        self._width = 0

    def expect(self, containers: Iterable[str]) -> None:
        """Make room for, and give colours to, the containers of these names."""
        for name in containers:
            label = self.label(name)
            self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            self._width = max(self._width, width_of(label))

    def label(self, name: str) -> str:
        """How a container is called in prefixes: its name without the project's, nor what it has while it is replaced."""
        return clean(_REPLACED.sub("", name).removeprefix(f"{self._project}-"))

    def render(self, entries: Iterable[LogEntry]) -> str:
        """The whole lines that these entries make, ready to be written."""
        return "".join(line for entry in entries for line in self._lines(entry))

    def exited(self, name: str, status: int) -> str:
        """The line that tells of a container's end."""
        return self._screen.paint(f"{self.label(name)} exited with code {status}", DIM) + "\n"

    def _lines(self, entry: LogEntry) -> Iterable[str]:
        if entry.stream == "gap":
            yield self._line(entry, self._screen.paint(f"[{entry.text or 'output is missing here'}]", DIM))
            return
        yield from (self._line(entry, text) for text in entry.text.removesuffix("\n").split("\n"))

    def _line(self, entry: LogEntry, text: str) -> str:
        if not self._screen.tty:
            text = clean_line(text)
        elif "\x1b" in text:
            text += "\x1b[0m"  # a colour that the container did not end must not run on
        return self._prefix_of(entry) + self._timestamp(entry) + text.rstrip("\r") + "\n"

    def _prefix_of(self, entry: LogEntry) -> str:
        if not self._prefix:
            return ""
        self.expect([entry.container])
        label = self.label(entry.container)
        return self._screen.paint(f"{label}{' ' * (self._width - width_of(label))}  | ", self._colours[entry.container])

    def _timestamp(self, entry: LogEntry) -> str:
        if not self._timestamps:
            return ""
        seconds, fraction = divmod(entry.time, 1)
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(fraction * 1e9):09d}Z "
