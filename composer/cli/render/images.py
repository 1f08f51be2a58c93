"""Images in tables: references taken apart, ids cut short, sizes for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from composer.api.messages import ImagePlatform

_SHORT_ID = 12


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and tag as a user writes them: `docker.io/library/redis:7` is `redis` and `7`."""
    name, pinned, _digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, "<none>" if pinned else "latest"
    repository = repository.removeprefix("docker.io/").removeprefix("library/")
    return repository, tag


def listed_reference(reference: str) -> tuple[str, str]:
    """Repository and tag as a listing of images has them: what was pulled by its digest has no tag of its own.

    An image that has lost its name to another has neither.
    """
    if not reference:
        return "<none>", "<none>"
    repository, tag = split_reference(reference)
    return repository, "<none>" if "@" in reference else tag


def listed_platforms(platforms: Iterable[ImagePlatform]) -> list[dict[str, Any]]:
    """What an index lists, for JSON."""
    return [
        {"Platform": each.platform, "ID": each.id, "Digest": each.manifest, "Size": each.size} for each in platforms
    ]


def short_id(identity: str) -> str:
    """The first twelve digits, without the algorithm."""
    return identity.rpartition(":")[2][:_SHORT_ID]


def human_size(size: float) -> str:
    """`12.3MB`: three digits, powers of 1000, as Docker prints sizes."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.3g}{unit}"
        size /= 1000
    raise AssertionError("unreachable")
