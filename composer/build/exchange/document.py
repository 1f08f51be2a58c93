"""What an image's config says of steps: their keys, and which layer upon which chain each of them made. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from composer.build.cache import Record
from composer.errors import ImageError
from composer.oci import fields
from composer.oci.config import chain_id
from composer.oci.digest import Digest

FIELD = "composer.cache.v1"
_LONGEST_NAME = 1000


@dataclass(frozen=True, slots=True)
class CacheDocument:
    """Records, and the quick keys that lead to them."""

    records: tuple[Record, ...]
    aliases: tuple[tuple[str, str], ...] = ()


def within(config: bytes, document: CacheDocument) -> bytes:
    """An image's config with the document in it."""
    whole = json.loads(config)
    whole[FIELD] = {
        "records": [
            {
                "key": record.key,
                "diff_id": record.diff_id,
                "below": record.below,
                "size": record.size,
                "created": record.created,
                "name": record.name,
                "milliseconds": round(record.seconds * 1000),
            }
            for record in document.records
        ],
        "aliases": [list(pair) for pair in document.aliases],
    }
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()


def read(config: bytes, now: float) -> CacheDocument | None:
    """The document in an image's config, None where there is none. Raises ImageError for one that is damaged."""
    whole = fields.parse_object(config, "an image config")
    if FIELD not in whole:
        return None
    said = fields.mapping(whole, FIELD)
    records = tuple(_record(one, now) for one in fields.objects(said, "records"))
    return CacheDocument(records, tuple(_pairs(said.get("aliases"))))


def _record(one: Mapping[str, Any], now: float) -> Record:
    below, diff_id = (Digest.parse(fields.text(one, name)) if one.get(name) else None for name in ("below", "diff_id"))
    # Worked out, not believed: a layer must never lie where another image looks for its own.
    chain = chain_id(below, diff_id) if diff_id else below
    return Record(
        fields.text(one, "key"),
        str(chain or ""),
        str(diff_id or ""),
        str(below or ""),
        fields.integer(one, "size"),
        fields.integer(one, "created"),
        now,
        fields.text(one, "name", "")[:_LONGEST_NAME],
        fields.integer(one, "milliseconds", 0) / 1000,
    )


def _pairs(value: object) -> Iterable[tuple[str, str]]:
    if not isinstance(value, list):
        raise ImageError("cannot read `aliases`: expected a list")
    for one in value:
        match one:
            case [str(quick), str(key)]:
                yield quick, key
            case _:
                raise ImageError("cannot read `aliases`: expected pairs of strings")
