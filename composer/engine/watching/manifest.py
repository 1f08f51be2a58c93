"""What each rule has dealt with, on disk: a watch that begins again reads only files that have changed since.

For one that goes on after its engine's death, what differs is also what happened while nobody watched, to be dealt with
like any change: a restart or a command that had not come yet comes then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from composer.engine.watching.sight import Change, Identity, Seen, identities
from composer.watch.ledger import Ledger
from composer.watch.rules import Rule
from composer.watch.tree import Entry, Tree

_PREFIX = "seen "


class Manifest:
    """The entries of one project's rules; for a thread."""

    def __init__(self, ledger: Ledger, project: str, rules: Sequence[Rule]) -> None:
        self._ledger = ledger
        self._rules = tuple(rules)
        self._identities = identities(rules)
        self._owners = [_PREFIX + json.dumps([project, *identity]) for identity in self._identities]

    def entries(self) -> dict[Identity, dict[str, Entry]]:
        """What was dealt with, by rule; rules that nothing is known of are not there."""
        known = ((i, self._ledger.entries(owner)) for i, owner in zip(self._identities, self._owners, strict=True))
        return {identity: entries for identity, entries in known if entries}

    def seen(self, entries: Mapping[Identity, Mapping[str, Entry]]) -> dict[Identity, Seen]:
        """The same, as what was seen."""
        pairs = zip(self._rules, self._identities, strict=True)
        return {i: Seen(rule.selection, entries[i]) for rule, i in pairs if i in entries}

    def enter(self, rule: Rule, change: Change) -> None:
        """Note what has been dealt with."""
        owner = next(owner for mine, owner in zip(self._rules, self._owners, strict=True) if mine is rule)
        self._ledger.enter(owner, change)

    def begin(
        self,
        watched: Sequence[tuple[Rule, Tree]],
        known: Mapping[Identity, Mapping[str, Entry]],
        to_come: Sequence[tuple[Rule, Change]],
    ) -> None:
        """Note what is there, as far as it differs from `known` and is not `to_come`: that is entered when it is done."""
        for (rule, tree), identity in zip(watched, self._identities, strict=True):
            before, now = known.get(identity, {}), dict(tree.entries)
            change: Change = {path: entry for path, entry in now.items() if before.get(path) != entry}
            change |= dict.fromkeys(before.keys() - now.keys())
            for other, pending in to_come:
                if other is rule:
                    change = {path: entry for path, entry in change.items() if path not in pending}
            self.enter(rule, change)


def project_of(owner: str) -> str:
    """The project that an owner in the ledger belongs to, "" for a container."""
    return str(json.loads(owner.removeprefix(_PREFIX))[0]) if owner.startswith(_PREFIX) else ""
