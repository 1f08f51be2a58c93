"""What a session sees: the trees below its rules' roots, and the files that define the project.

What was seen goes from one sight to the next when the rules are read anew, so that what has changed meanwhile is a change
like any other; what only came into or out of a rule's selection is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from composer.engine.watching.definition import Definition
from composer.watch.changes import Area
from composer.watch.rules import Rule
from composer.watch.selection import Selection
from composer.watch.settle import Batch
from composer.watch.tree import DIRECTORY, Entry, Problem, Tree

Identity = tuple[str, ...]
"""What makes a rule the same one when the project was read again, whatever it ignores by then."""
Change = dict[str, Entry | None]
"""What is there now by path relative to a rule's root; None for what is gone."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was below a rule's root, of what counted."""

    selection: Selection
    entries: Mapping[str, Entry]
    doubts: frozenset[str] = frozenset()


@dataclass(slots=True)
class Found:
    """What differs from the last look."""

    changed: list[tuple[Rule, Change]] = field(default_factory=list)
    redefined: bool = False
    """Whether a file that defines the project is another one now."""
    ignoring: bool = False
    """Whether what git ignores may be something else."""
    problems: list[Problem] = field(default_factory=list)
    """What could not be read, and was not told before."""


class Sight:
    """The trees of one definition. `begin` and `look` are for a thread, one call at a time."""

    def __init__(
        self, definition: Definition, seen: Mapping[Identity, Seen], hashed: Mapping[Identity, Mapping[str, Entry]]
    ) -> None:
        """`hashed` are entries of any age: they only save reading files that are as they were."""
        self.definition = definition
        self._seen = seen
        self.watched: list[tuple[Rule, Tree]] = []
        self._identities = identities(definition.rules.rules)
        for rule, identity in zip(definition.rules.rules, self._identities, strict=True):
            before = seen.get(identity)
            tree = Tree(rule.selection, before.entries if before else hashed.get(identity))
            tree.doubts = set(before.doubts) if before else set()
            self.watched.append((rule, tree))
        self._own = [
            Tree(Selection(path), before.entries if (before := seen.get((path,))) else None)
            for path in definition.files
        ]
        self._told: set[Problem] = set()

    @property
    def areas(self) -> list[Area]:
        """What is to be listened to."""
        return [tree.selection for tree in (*(tree for _, tree in self.watched), *self._own)]

    def begin(self) -> Found:
        """Look at everything for the first time; `changed` is what differs from what was seen by a rule before."""
        found = Found()
        for (rule, tree), identity in zip(self.watched, self._identities, strict=True):
            before = self._seen.get(identity)
            paths = tree.scan()
            if before is not None and (change := _change(before, tree, paths)):
                found.changed.append((rule, change))
        for tree in self._own:
            if tree.scan() and (tree.selection.root,) in self._seen:
                self._note(tree, found)
        found.ignoring |= self.is_ignoring_otherwise()
        found.problems = self._news(None)
        return found

    @property
    def is_partly_new(self) -> bool:
        """Whether there are defining files that nobody looked at before they were read."""
        return any((tree.selection.root,) not in self._seen for tree in self._own)

    def look(self, batch: Batch) -> Found:
        """What really changed."""
        found = Found()
        for rule, tree in self.watched:
            paths = tree.scan() if batch.everything else tree.look(batch.paths)
            if paths:
                found.changed.append((rule, {path: tree.entries.get(path) for path in paths}))
        for tree in self._own:
            if tree.scan() if batch.everything else tree.look(batch.paths):
                self._note(tree, found)
        roots = (rule.root for rule, _ in self.watched)
        if batch.everything or any(root in batch.paths for root in roots) or any(map(_is_gits, batch.paths)):
            found.ignoring |= self.is_ignoring_otherwise()
        found.problems = self._news(None if batch.everything else batch.paths)
        return found

    def _note(self, own: Tree, found: Found) -> None:
        if _is_gits(own.selection.root):
            found.ignoring = True
        else:
            found.redefined = True

    def is_ignoring_otherwise(self) -> bool:
        """Whether a `.gitignore` is another one than was read."""
        return any(rule.selection.git is not None and rule.selection.git.is_outdated() for rule, _ in self.watched)

    def seen(self) -> dict[Identity, Seen]:
        """What the next sight is to compare with."""
        seen = {
            identity: Seen(rule.selection, tree.entries, frozenset(tree.doubts))
            for (rule, tree), identity in zip(self.watched, self._identities, strict=True)
        }
        return seen | {(tree.selection.root,): Seen(tree.selection, tree.entries) for tree in self._own}

    def _news(self, looked_at: Iterable[str] | None) -> list[Problem]:
        """The problems that were not there at the last look."""
        now = {problem for _, tree in self.watched for problem in tree.problems}
        fresh = sorted(now - self._told, key=lambda problem: problem.path)
        kept = set() if looked_at is None else {each for each in self._told if each.path not in set(looked_at)}
        self._told = now | kept
        return fresh


def identities(rules: Sequence[Rule]) -> list[Identity]:
    """One for each rule; of rules that are alike, by their order."""
    count: Counter[Identity] = Counter()
    result: list[Identity] = []
    for rule in rules:
        identity: Identity = (rule.service, rule.action, rule.root, rule.target)
        result.append((*identity, str(count[identity])))
        count[identity] += 1
    return result


def _is_gits(path: str) -> bool:
    return path.endswith("/.gitignore")


def _change(before: Seen, tree: Tree, paths: Sequence[str]) -> Change:
    """Of `paths`, what counted then and counts now."""

    def counted(selection: Selection, path: str) -> bool:
        entry = tree.entries.get(path) or before.entries.get(path)
        place = f"{selection.root}/{path}" if path else selection.root
        return selection.counts(place, directory=entry is not None and entry.kind == DIRECTORY)

    return {
        path: tree.entries.get(path)
        for path in paths
        if counted(before.selection, path) and counted(tree.selection, path)
    }
