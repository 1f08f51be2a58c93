"""`cache_from` and `cache_to` as people write them <https://docs.docker.com/build/cache/backends/>."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from composer.errors import UsageError

KINDS = ("registry", "local", "inline")


@dataclass(frozen=True, slots=True)
class CachePlace:
    """One place."""

    kind: str
    """`registry`, `local`, `inline`, or something that is not supported."""
    place: str = ""
    """An image's name, or a directory."""
    everything: bool = False
    """`mode=max`: the steps of all stages, not of the target alone."""
    may_fail: bool = False

    @property
    def supported(self) -> bool:
        """Whether we can do anything with it."""
        return self.kind in KINDS


def cache_place(text: str) -> CachePlace:
    """What `text` means; a name alone is that of an image. Raises UsageError where it cannot be understood."""
    if "=" not in text:
        return CachePlace("registry", text)
    fields = dict(field.partition("=")[::2] for field in next(csv.reader([text]), []))
    kind = fields.get("type", "")
    place = fields.get("ref") or fields.get("src") or fields.get("dest") or ""
    if not kind:
        raise UsageError(f"cannot use the cache `{text}`: it has no `type`", hint="write `type=registry,ref=NAME`")
    if kind in ("registry", "local") and not place:
        needed = "`ref=NAME`" if kind == "registry" else "`src=DIRECTORY` or `dest=DIRECTORY`"
        raise UsageError(f"cannot use the cache `{text}`: `type={kind}` needs {needed}")
    return CachePlace(kind, place, fields.get("mode") == "max", fields.get("ignore-error") == "true")
