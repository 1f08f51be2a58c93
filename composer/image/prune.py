"""Which images may go: pure decisions over a listing, carried out by `Store.prune`.

What a container was made from stays, whatever is asked. An image goes with all its names or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from composer.image.image import ImageRecord


@dataclass(frozen=True, slots=True)
class Criteria:
    """What `compose image prune` was asked for."""

    all: bool = False
    """Images with names, too."""
    created_before: float | None = None
    """Seconds since the epoch."""
    labels: tuple[str, ...] = ()
    """`key` or `key=value`; an image has to have all of them."""
    keep_storage: int | None = None
    """Bytes of images to keep: the oldest go first, until no more than this is left."""
    protected: frozenset[str] = field(default_factory=frozenset)
    """Ids that stay."""


DANGLING = Criteria()
"""Only images without a name."""


def choose(records: Sequence[ImageRecord], in_use: Collection[str], criteria: Criteria) -> tuple[ImageRecord, ...]:
    """The records to delete, the oldest image first.

    What cannot be read is never chosen: a container may need it, and pulling it again heals it.
    """
    named = {record.id for record in records if record.reference}
    broken = {record.id for record in records if record.damage}
    candidates = [
        record
        for record in sorted(records, key=lambda record: (record.created, record.id))
        if record.ids.isdisjoint(in_use)
        and record.id not in criteria.protected
        and record.id not in broken
        and (criteria.all or record.id not in named)
        and (criteria.created_before is None or record.created < criteria.created_before)
        and all(_has(record, label) for label in criteria.labels)
    ]
    if criteria.keep_storage is None:
        return tuple(candidates)
    return _oldest_until(records, candidates, criteria.keep_storage)


def used_bytes(records: Sequence[ImageRecord]) -> int:
    """What images take together; a layer that several have counts once."""
    layers: dict[str, int] = {}
    for record in records:
        layers |= record.layers
        for each in record.platforms:
            layers |= each.layers
    return sum(layers.values())


def _oldest_until(
    records: Sequence[ImageRecord], candidates: Sequence[ImageRecord], keep: int
) -> tuple[ImageRecord, ...]:
    gone: set[str] = set()
    for candidate in candidates:
        if used_bytes([record for record in records if record.id not in gone]) <= keep:
            break
        gone.add(candidate.id)
    return tuple(record for record in candidates if record.id in gone)


def _has(record: ImageRecord, label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in record.labels and (not equals or record.labels[key] == value)
