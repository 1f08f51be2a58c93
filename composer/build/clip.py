"""How much of a step's output is passed on: a step that writes without end is not to fill memory, terminals and logs."""

from __future__ import annotations

from collections.abc import Callable

MOST = 2 << 20
"""Characters of one step; BuildKit's limit too."""


class Clipped:
    """Passes text on as far as it may."""

    def __init__(self, output: Callable[[str], None], most: int = MOST) -> None:
        self._output = output
        self._left = most
        self._most = most

    def feed(self, text: str) -> None:
        """More text; that it ends is said once."""
        if self._left <= 0 or not text:
            return
        self._output(text[: self._left])
        self._left -= len(text)
        if self._left <= 0:
            self._output(f"\n[output clipped: a step may write {self._most >> 20} MiB here]\n")
