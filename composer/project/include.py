"""`include`: other Compose files whose services, networks and volumes join this project.

After <https://github.com/compose-spec/compose-spec/blob/main/14-include.md>: each is a project of its own, with its own
directory and variables; what it declares may not be declared differently here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from pathlib import Path

from composer.errors import Diagnostic
from composer.project.discover import read_text, show
from composer.project.document import Mapping, Node, Scalar, Sequence, plain
from composer.project.dotenv import parse_dotenv
from composer.project.merge import settle
from composer.project.reading import is_there
from composer.project.report import Report

SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "models")
"""What an included file adds to."""


@dataclass(frozen=True, slots=True)
class Included:
    """One entry of `include`."""

    files: tuple[Path, ...]
    directory: Path
    """What relative paths in it are relative to."""
    env_files: tuple[Path, ...]

    @classmethod
    def of(cls, entry: Node, root: Path) -> Included | None:
        """What a canonical entry says, relative paths starting from `root`; `None` if it names no file."""
        paths = _paths(entry, "path", root)
        if not paths:
            return None
        directory = next(iter(_paths(entry, "project_directory", root)), paths[0].parent)
        return cls(paths, directory, _paths(entry, "env_file", root))

    def variables(
        self, outer: Dict[str, str], shown_from: Path, warn: Callable[[Diagnostic], None]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The variables for its interpolation, and the file of those that its own files give.

        Those of the including project go before its own files'.

        Raises:
            ProjectError: a variable file is missing or wrong.
        """
        default = self.directory / ".env"
        paths = self.env_files or ((default,) if is_there(default) else ())
        below: dict[str, str] = {}
        given: dict[str, str] = {}
        for path in paths:
            known = {**below, **outer}
            found = parse_dotenv(read_text(path, "the variables"), show(path, shown_from), known.get, warn)
            below |= found
            given |= {name: show(path, shown_from) for name in found if name not in outer}
        return {**below, **outer}, given


def adopt(tree: Mapping, included: Mapping, name: str, report: Report) -> Mapping:
    """`tree` with what an included file declares; one name for two different things is reported."""
    for section in SECTIONS:
        theirs = included.get(section)
        if not isinstance(theirs, Mapping):
            continue
        ours = tree.get(section)
        if not isinstance(ours, Mapping):
            ours = replace(theirs, entries={}, keys={})
        for key in theirs.entries.keys() & ours.entries.keys():
            if plain(settle(ours.entries[key])) != plain(theirs.entries[key]):
                hint = "change what is included in an override file, or rename this one"
                report.error(f"{section}.{key} is also declared in the included `{name}`", ours.key(key), hint=hint)
        both = replace(ours, entries={**theirs.entries, **ours.entries}, keys={**theirs.keys, **ours.keys})
        tree = replace(tree, entries={**tree.entries, section: both}, keys={section: theirs.mark, **tree.keys})
    return tree


def _paths(entry: Node, key: str, root: Path) -> tuple[Path, ...]:
    node = entry.get(key) if isinstance(entry, Mapping) else None
    items = node.items if isinstance(node, Sequence) else (node,)
    words = [str(item.value) for item in items if isinstance(item, Scalar) and item.value is not None]
    return tuple(Path(os.path.normpath(root / word)) for word in words)
