"""Steps as they travel."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from composer.keeper.steps.step import Step

_CLASSES: dict[str, type[Step]] = {step.__name__: step for step in Step.__args__}
_FIELDS = {step: tuple(field.name for field in fields(step)) for step in Step.__args__}
"""Asked some dozen times for every start: `fields` is not that quick."""


def to_wire(steps: Iterable[Step]) -> list[list[Any]]:
    """The steps as data that `keeper.wire` sends: tuples become lists there, bytes `{"base64": ...}`."""
    return [[type(step).__name__, {name: getattr(step, name) for name in _FIELDS[type(step)]}] for step in steps]


def from_wire(data: Sequence[Sequence[Any]]) -> list[Step]:
    """The steps that `to_wire` wrote. Raises KeyError or TypeError for what is no step of this version."""
    return [_CLASSES[name](**{key: _decode(value) for key, value in values.items()}) for name, values in data]


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    return value
