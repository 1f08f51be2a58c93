"""What is wrong with a file, gathered; and the nearest of the words that would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from composer.errors import Diagnostic, Location, Severity

MAX_PROBLEMS = 100


class Problems:
    """Diagnostics in file order; more than `MAX_PROBLEMS` are of no use to anybody."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    @property
    def is_full(self) -> bool:
        """Whether no more will be noted."""
        return len(self.diagnostics) >= MAX_PROBLEMS

    def add(self, message: str, place: Location, *, label: str = "", hint: str = "") -> None:
        """Note one error."""
        if not self.is_full:
            self.diagnostics.append(Diagnostic(Severity.ERROR, message, place, label, hint))


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A hint naming the candidate that is most like `word`, empty if none is; case does not count."""
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(word[:64].casefold(), list(by_fold), 1, 0.6)
    return f"did you mean `{by_fold[near[0]]}`?" if near else ""


def listing(words: Iterable[str]) -> str:
    """`a`, `b` or `c`."""
    *first, last = (f"`{word}`" for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate at most two letters away from `word`, as BuildKit's own suggestions go; empty if none is."""
    best, least = "", 3
    for candidate in candidates if len(word) <= 100 else ():
        if abs(len(candidate) - len(word)) < least and (distance := _distance(word, candidate)) < least:
            best, least = candidate, distance
    return best


def _distance(left: str, right: str) -> int:
    """Levenshtein's."""
    row = list(range(len(right) + 1))
    for index, character in enumerate(left, 1):
        before, row[0] = row[0], index
        for column, other in enumerate(right, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (character != other))
    return row[-1]
