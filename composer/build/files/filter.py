"""A part of a directory: what patterns include and others do not exclude."""

from __future__ import annotations

from dataclasses import replace

from composer.build.files.entry import Entry
from composer.ignore.docker import NOTHING_ABOVE, Decision, DockerPatterns


def filtered(directory: Entry, include: DockerPatterns | None, exclude: DockerPatterns) -> Entry:
    """`directory` with what matches `include` (everything for None) and not `exclude`, relative to it.

    A directory above a match that does not match itself is there too, as `implied`; the original stays as it is.
    """
    if include is None and not exclude:
        return directory
    return _filtered(directory, "", include, exclude, NOTHING_ABOVE, NOTHING_ABOVE)


def _filtered(
    directory: Entry,
    path: str,
    include: DockerPatterns | None,
    exclude: DockerPatterns,
    included_above: Decision,
    excluded_above: Decision,
) -> Entry:
    kept: dict[str, Entry] = {}
    for name, child in (directory.children or {}).items():
        here = f"{path}/{name}" if path else name
        included = include.decide(here, included_above) if include else NOTHING_ABOVE
        excluded = exclude.decide(here, excluded_above)
        wanted = (include is None or included.ignored) and not excluded.ignored
        if not child.is_directory:
            if wanted:
                kept[name] = child
            continue
        part = _filtered(child, here, include, exclude, included, excluded)
        if wanted or part.children:
            kept[name] = replace(part, implied=not wanted)
    return replace(directory, children=kept)
