"""`skip=RULE,RULE;error=true;experimental=all`: which rules count, and whether a finding is an error.

<https://docs.docker.com/build/checks/#skip-checks>
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from composer.build.dockerfile.lint.rules import Rule

ARGUMENT = "BUILDKIT_DOCKERFILE_CHECK"
"""The build argument that stands in place of the file's own directive."""
_ALL = "all"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_ABOVE = re.compile(r"check\s*=\s*(.+?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What a `check` says; `all` may stand for every rule."""

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    error: bool = False

    def wants(self, rule: Rule) -> bool:
        """Whether findings of the rule count. An experimental rule is asked for, never skipped."""
        if rule.experimental:
            return bool(self.experimental & {rule.name, _ALL})
        return not self.skip & {rule.name, _ALL}

    def merged(self, other: CheckOptions) -> CheckOptions:
        """These and those."""
        return CheckOptions(self.skip | other.skip, self.experimental | other.experimental, self.error or other.error)


def read_options(text: str) -> CheckOptions:
    """The options that `text` means; what stands behind a space does not count. Raises ValueError."""
    text = text.strip().split(" ", 1)[0]
    options = CheckOptions()
    for part in text.split(";") if text else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        rules = frozenset(rule.strip() for rule in value.split(","))
        if equals and key == "skip":
            options = options.merged(CheckOptions(skip=rules))
        elif equals and key == "experimental":
            options = options.merged(CheckOptions(experimental=rules))
        elif equals and key == "error" and value in _TRUE + _FALSE:
            options = options.merged(CheckOptions(error=value in _TRUE))
        else:
            raise ValueError(f"invalid check option `{part}`")
    return options


def options_above(comments: Iterable[str]) -> CheckOptions:
    """What the comments right above an instruction say for it alone; one that makes no sense says nothing."""
    for comment in comments:
        if match := _ABOVE.fullmatch(comment):
            try:
                return read_options(match[1])
            except ValueError:
                return CheckOptions()
    return CheckOptions()
