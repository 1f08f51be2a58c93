"""When a burst of events is over: a pure count of time.

A save is several events within a millisecond; a checkout is thousands within a second. A batch is due a moment after the last
event, or, where a file was written to and not closed yet, a longer moment; but never later than `LONGEST` after its first:
only a burst that is known to go on may wait up to `PATIENCE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

QUIET = 0.004
"""Seconds without an event after which a batch is complete."""
BUSY = 0.1
"""Seconds to wait for the end of a file that somebody is writing."""
LONGEST = 0.3
"""Seconds after which a batch is told however much still happens."""

MANY = 20
"""Paths that make a burst."""
PATIENCE = 5.0
"""Seconds that a burst may wait for whoever makes it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What may have changed."""

    paths: frozenset[str] = frozenset()
    """Absolute; for a directory, all that is below it may have."""
    everything: bool = False
    """Events were lost: look at everything."""
    since: float = 0.0
    """When the first event came, on the monotonic clock."""
    restarted: bool = field(default=False)
    """A root was replaced by another directory."""


class Settle:
    """Gathers events into batches; times are given, never asked."""

    def __init__(self, quiet: float = QUIET, busy: float = BUSY, longest: float = LONGEST) -> None:
        self._quiet, self._busy, self._longest = quiet, busy, longest
        self._paths: set[str] = set()
        self._open: dict[str, float] = {}
        self._first = self._last = 0.0
        self._everything = self._waiting = False

    def changed(self, path: str, now: float, *, complete: bool = True) -> None:
        """Something happened to `path`; not `complete` while somebody writes to it."""
        self._note(now)
        self._paths.add(path)
        if complete:
            self._open.pop(path, None)
        else:
            self._open[path] = now

    def lost(self, now: float) -> None:
        """Events were dropped."""
        self._note(now)
        self._everything = True

    def due(self) -> float | None:
        """When the batch is complete; None when there is none."""
        if not self._waiting:
            return None
        quiet = self._last + self._quiet
        if self._open:
            quiet = max(quiet, max(self._open.values()) + self._busy)
        return min(quiet, self._first + self._longest)

    def may_wait(self, now: float) -> bool:
        """Whether the batch is so large that it may be a branch switch, and so young that the rest can be waited for."""
        return len(self._paths) >= MANY and now < self._first + PATIENCE

    def take(self) -> Batch:
        """The batch; the next event begins another."""
        batch = Batch(frozenset(self._paths), self._everything, self._first)
        self._paths.clear()
        self._open.clear()
        self._everything = self._waiting = False
        return batch

    def _note(self, now: float) -> None:
        self._last = now
        if not self._waiting:
            self._waiting, self._first = True, now
