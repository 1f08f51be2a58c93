"""JSON objects from outside, read by the types they must have.

Every reader names the field in its error, so that a damaged or hostile document is refused with a sentence instead of
a traceback. Absent and `null` are the same thing, as Go's encoders, which write most of these documents, have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from composer.errors import ImageError

MAX_DOCUMENT = 4 * 1024 * 1024
"""Manifests above 4 MiB are refused by registries too (distribution spec, "Pushing manifests")."""


def parse_object(data: bytes, what: str) -> Mapping[str, Any]:
    """The JSON object in `data`. Raises ImageError, calling the document `what`."""
    if len(data) > MAX_DOCUMENT:
        raise ImageError(f"cannot read {what}: {len(data)} bytes are more than the {MAX_DOCUMENT} allowed")
    try:
        document = json.loads(data)
        if b"\\u" in data:  # half a surrogate pair is JSON, but no text that could be stored, shown or executed
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ImageError(f"cannot read {what}: not JSON ({error})") from error
    return expect_object(document, what)


def expect_object(value: Any, what: str) -> Mapping[str, Any]:
    """`value`, which must be a JSON object."""
    if not isinstance(value, dict):
        raise ImageError(f"cannot read {what}: expected an object, got {_kind(value)}")
    return value


def text(document: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """The string at `key`; without a `default` it must be there."""
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ImageError(f"cannot read `{key}`: expected a string, got {_kind(value)}")
    return value


def integer(document: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """The integer at `key`, never negative; without a `default` it must be there."""
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ImageError(f"cannot read `{key}`: expected a number that is not negative, got {_kind(value)}")
    return value


def boolean(document: Mapping[str, Any], key: str) -> bool:
    """The boolean at `key`, False where absent."""
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise ImageError(f"cannot read `{key}`: expected true or false, got {_kind(value)}")
    return bool(value)


def objects(document: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], ...]:
    """The list of objects at `key`, empty where absent."""
    return tuple(expect_object(item, f"`{key}`") for item in _list(document, key))


def texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The list of strings at `key`, empty where absent."""
    items = _list(document, key)
    for item in items:
        if not isinstance(item, str):
            raise ImageError(f"cannot read `{key}`: expected strings, got {_kind(item)}")
    return tuple(items)


def mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object at `key`, empty where absent."""
    value = document.get(key)
    return {} if value is None else expect_object(value, f"`{key}`")


def text_mapping(document: Mapping[str, Any], key: str) -> dict[str, str]:
    """The object at `key` whose values are all strings, empty where absent."""
    value = mapping(document, key)
    return {name: text(value, name, "") for name in value}


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ImageError(f"cannot read `{key}`: expected a list, got {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
