"""Files of an image that were deleted on disk: a container that is made from it later is not to have them either.

Without this they would come back with the next container of the same image, as the ledger knows only what each container
was given. What a rule no longer selects but is still on disk is not among them, nor what no image has: a file that a program
writes where one was deleted is its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence

from composer.image.image import Image
from composer.image.root import has
from composer.watch.ledger import Ledger
from composer.watch.rules import Rule
from composer.watch.tree import FILE, Entry

_PREFIX = "deleted "
_GONE = Entry(FILE, 0)


class Deleted:
    """Those of one service, by image; for a thread."""

    def __init__(self, ledger: Ledger, project: str, service: str, rules: Sequence[Rule]) -> None:
        self._ledger = ledger
        self._project = project
        self._service = service
        self._rules = tuple(rules)

    def of(self, image: Image) -> set[str]:
        """The paths in containers of this image that rules still speak of."""
        known = self._ledger.entries(self._owner(image))
        return {target for target in known if self._source(target) is not None}

    def note(self, image: Image, targets: Iterable[str]) -> None:
        """Remember those of these paths, gone from a container, that are deleted on disk and that the image has."""
        gone = [target for target in targets if (source := self._source(target)) and not os.path.lexists(source)]
        found = {target: _GONE for target in gone if has(image.layers, target)}
        if found:
            self._ledger.enter(self._owner(image), found)

    def _source(self, target: str) -> str | None:
        """The file that comes to a path of the container; None where no rule reaches it."""
        rule = next((rule for rule in self._rules if rule.reaches(target)), None)
        if rule is None:
            return None
        relative = target[len(rule.target) + 1 :]
        return f"{rule.root}/{relative}" if relative else rule.root

    def _owner(self, image: Image) -> str:
        return _PREFIX + json.dumps([self._project, self._service, image.id or image.name])


def project_of(owner: str) -> str:
    """The project that an owner in the ledger belongs to, "" for another kind of owner."""
    return str(json.loads(owner.removeprefix(_PREFIX))[0]) if owner.startswith(_PREFIX) else ""
