"""Why a step was run again: what it was made of here the last time, compared with now.

A place is a step of a stage of one Dockerfile; what its step was made of last is kept by place. Pure but for `Makings`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

_SHOWN = 3
"""How many files are named."""

_MOST_FILES = 5000
"""Of one step; nobody reads of more."""


@dataclass(frozen=True, slots=True)
class Making:
    """What a step was made of."""

    below: str
    """The key of what it works on."""
    definition: str
    """A digest of the instruction itself."""
    files: Mapping[str, str] = field(default_factory=dict)
    """A digest of each file it reads, by path."""
    stages: tuple[str, ...] = ()
    """Digests of what it reads of other stages and from elsewhere."""

    def packed(self) -> bytes:
        """As it is stored."""
        text = json.dumps([self.below, self.definition, self.files, self.stages], separators=(",", ":"))
        return zlib.compress(text.encode("utf-8", "surrogatepass"), 1)

    @classmethod
    def unpacked(cls, data: bytes) -> Making | None:
        """What was packed, None for what is damaged."""
        try:
            below, definition, files, stages = json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
            return cls(str(below), str(definition), dict(files), tuple(stages))
        except (ValueError, zlib.error, TypeError):
            return None


def cause(before: Making | None, now: Making, *, asked: bool = False) -> str:
    """Why a step is run, in words: `src/app.py changed`, `the instruction changed`."""
    if asked:
        return "the cache is not to be used"
    if before is None:
        return "it was not built here before"
    if before.definition != now.definition:
        return "the instruction changed"
    if before.files != now.files:
        return _files(before.files, now.files)
    if before.stages != now.stages:
        return "what it takes from elsewhere changed"
    if before.below != now.below:
        return "a step before it changed"
    return "what it made is not in the cache any more"


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    changed = sorted(path for path in now if path in before and before[path] != now[path])
    parts = [
        _named(changed, "changed"),
        _named(sorted(now.keys() - before.keys()), "is new", "are new"),
        _named(sorted(before.keys() - now.keys()), "is gone", "are gone"),
    ]
    return ", ".join(filter(None, parts))


def _named(paths: list[str], one: str, many: str = "") -> str:
    if not paths:
        return ""
    shown = ", ".join(f"`{path}`" for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{shown}{more} {one if len(paths) == 1 else many or one}"


def digests(files: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A short digest for each (path, description): enough to see that a file changed, not to say it did not."""
    found = islice(files, _MOST_FILES)
    return {path: f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}" for path, text in found}
