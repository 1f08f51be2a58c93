"""What a stream can show, and text made safe for it.

Colour follows `--ansi`/`COMPOSE_ANSI` (never, always, auto); auto asks for a terminal, a `TERM` that is not `dumb`, and no
`NO_COLOR` <https://no-color.org>.
"""

from __future__ import annotations

import os
import re
import select
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

BOLD, DIM, RED, GREEN, YELLOW, BLUE, CYAN = "1", "2", "31", "32", "33", "34", "36"

# C0 but tab and newline, DEL, C1, and the bidirectional overrides that make a line read as something else.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# ECMA-48: CSI … final byte, OSC … terminator, and two-byte escapes.
_ESCAPE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\^_])")


def clean(text: str) -> str:
    """`text` on one line, without escape sequences and control characters."""
    return _CONTROL.sub("", _ESCAPE.sub("", text)).replace("\n", " ").replace("\t", " ")


def clean_line(text: str) -> str:
    """A line without escape sequences and control characters, tabs kept."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def width_of(text: str) -> int:
    """The columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns, an ellipsis showing that something is missing."""
    if width_of(text) <= width:
        return text
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return text + "…" if width > 0 else ""


@dataclass(slots=True)
class Screen:
    """A stream with what is known of it."""

    stream: TextIO
    tty: bool
    colour: bool

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str], ansi: str = "auto") -> Screen:
        """The stream as it can be used under `--ansi` and this environment."""
        tty = stream.isatty()
        able = tty and environment.get("TERM") != "dumb" and not environment.get("NO_COLOR")
        return cls(stream, tty and environment.get("TERM") != "dumb", {"always": True, "never": False}.get(ansi, able))

    @property
    def width(self) -> int:
        """Columns of the terminal; 80 where there is none to ask."""
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    @property
    def height(self) -> int:
        """Rows of the terminal; 24 where there is none to ask."""
        try:
            return os.get_terminal_size(self.stream.fileno()).lines or 24
        except (OSError, ValueError):
            return 24

    def paint(self, text: str, *codes: str) -> str:
        """`text` in this style, where the stream shows styles."""
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colour and codes and text else text

    def until_readable(self, source: int) -> None:
        """Return when the descriptor has something to read. Raises BrokenPipeError once nobody reads this stream any more."""
        poller = select.poll()
        poller.register(source, select.POLLIN)
        try:
            ours = self.stream.fileno()
        except (OSError, ValueError):  # no file
            ours = -1
        else:
            poller.register(ours, 0)  # POLLERR and POLLHUP come unasked: poll(2)
        if dict(poller.poll()).get(ours, 0) & (select.POLLERR | select.POLLHUP):
            raise BrokenPipeError

    def write(self, text: str) -> None:
        """Write at once: whole lines, so that writers never interleave within one."""
        self.stream.write(text)
        self.stream.flush()
