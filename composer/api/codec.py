"""Messages to JSON and back: frozen dataclasses of plain fields, by their annotations.

`decode` is tolerant where versions may differ (unknown fields are ignored, missing ones take their defaults) and strict
where it must be: a value of the wrong kind is a ValueError that names the field.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any, str], Any]


def encode(value: Any) -> Any:
    """`value` as JSON-able data: dataclasses become objects, tuples lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def decode(cls: type[T], data: Any) -> T:
    """The `cls` that `data` describes. Raises ValueError, naming the field that does not fit."""
    kind: Any = cls
    result: T = _reader(kind)(data, cls.__name__)
    return result


@cache
def _reader(annotation: Any) -> Reader:
    """How to read a value of this type; worked out once per type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return lambda value, _: value
    if origin in (Union, types.UnionType):
        return _optional(next(_reader(each) for each in arguments if each is not type(None)))
    if origin in (tuple, list):
        return _sequence(origin, _reader(arguments[0]))
    if origin is dict:
        return _mapping(_reader(arguments[1]))
    if is_dataclass(annotation) and isinstance(annotation, type):
        return _object(annotation)
    return _plain(annotation)


def _optional(reader: Reader) -> Reader:
    return lambda value, where: None if value is None else reader(value, where)


def _sequence(kind: type, reader: Reader) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where}: {type(value).__name__} instead of a list")
        return kind(reader(item, f"{where}[{index}]") for index, item in enumerate(value))

    return read


def _mapping(reader: Reader) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: {type(value).__name__} instead of an object")
        return {str(key): reader(item, f"{where}.{key}") for key, item in value.items()}

    return read


def _object(cls: type) -> Reader:
    hints = get_type_hints(cls)
    readers = {field.name: _reader(hints[field.name]) for field in fields(cls)}
    required = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: {type(value).__name__} instead of an object")
        if missing := sorted(required - value.keys()):
            raise ValueError(f"{where}: no {', '.join(missing)}")
        return cls(**{name: readers[name](item, f"{where}.{name}") for name, item in value.items() if name in readers})

    return read


def _plain(kind: Any) -> Reader:
    def read(value: Any, where: str) -> Any:
        # JSON writes 2.0 as 2 and knows no difference; a bool is an int only in Python.
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{where}: {type(value).__name__} instead of {kind.__name__}")
        return value

    return read
