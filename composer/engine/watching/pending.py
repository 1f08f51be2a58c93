"""What has gathered for a service's next turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from composer.engine.watching.sight import Change
from composer.watch.rules import Rule

_SHOWN = 3
"""How many paths are named."""


@dataclass(slots=True)
class Pending:
    """Changes, and what could not be done before; `absorb` puts two together."""

    touched: set[str] = field(default_factory=set)
    """Paths in the container."""
    changes: list[tuple[Rule, Change]] = field(default_factory=list)
    catch_up: set[str] = field(default_factory=set)
    """Containers that have just started, by id."""
    owed: set[str] = field(default_factory=set)
    """Paths in the container that could not be brought in, or were as something newer: no change, but to be looked after."""
    due: list[Rule] = field(default_factory=list)
    """Rules that are to act for what a container had missed."""
    since: float = 0.0
    """When the first of it happened, on the monotonic clock."""

    def __bool__(self) -> bool:
        return bool(self.changes or self.catch_up or self.owed or self.due)

    def add(self, rule: Rule, change: Change, since: float) -> None:
        """Note that files of a rule have changed."""
        self._begin(since)
        self.changes.append((rule, change))
        if rule.target:
            self.touched.update(rule.inside(path) for path in change)

    def catch(self, container: str, since: float) -> None:
        """Note that a container has started."""
        self._begin(since)
        self.catch_up.add(container)

    def absorb(self, other: Pending) -> None:
        """Take what is in another along."""
        if other:
            self.since = min(self.since, other.since) if self else other.since
        self.touched |= other.touched
        self.changes += other.changes
        self.catch_up |= other.catch_up
        self.owed |= other.owed
        self.due += other.due

    def owe(self, targets: Iterable[str], since: float) -> None:
        """Note what could not be done."""
        if not self:
            self.since = since
        self.owed.update(targets)

    def commands(self) -> Pending:
        """Of all this, what runs commands in containers."""
        some = Pending(due=[rule for rule in self.due if rule.exec is not None], since=self.since)
        for rule, change in self.changes:
            if rule.exec is not None:
                some.add(rule, change, self.since)
        return some

    @property
    def rules(self) -> list[Rule]:
        """The rules that are to act."""
        return [*(rule for rule, _ in self.changes), *self.due]

    @property
    def files(self) -> list[str]:
        """The changed files of this machine, absolute."""
        return [f"{rule.root}/{path}" if path else rule.root for rule, change in self.changes for path in change]

    def __str__(self) -> str:
        """The first few of the changed files, and how many more."""
        distinct = list(dict.fromkeys(rule.shown(path) for rule, change in self.changes for path in change))
        shown = ", ".join(distinct[:_SHOWN])
        more = len(distinct) - _SHOWN
        return f"{shown} and {more} more" if more > 0 else shown

    def _begin(self, since: float) -> None:
        if not self.changes and not self.catch_up:
            self.since = since
