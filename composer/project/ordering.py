"""The order of keys in printed YAML: that of go-yaml, in which `web2` comes before `web10` and `_` before letters."""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Any

_DIGITS = re.compile(r"[0-9]*")


def in_order(data: Any) -> Any:
    """`data` with the keys of its mappings in order; one that is not sorted at all has an order of its own, and keeps it."""
    if isinstance(data, dict):
        keys = list(data)
        if keys == sorted(keys):
            keys.sort(key=cmp_to_key(compared))
        return {key: in_order(data[key]) for key in keys}
    return [in_order(item) for item in data] if isinstance(data, list) else data


def compared(left: str, right: str) -> int:
    """Below zero where `left` comes first: by letters, numbers by their value, other signs before letters."""
    in_number = False
    for place, (one, other) in enumerate(zip(left, right, strict=False)):
        if one == other:
            in_number = one.isdigit()
        elif one.isalpha() and other.isalpha():
            return ord(one) - ord(other)
        elif one.isalpha() or other.isalpha():
            # A number that ends comes before one that goes on; elsewhere letters come last.
            return -1 if (one if in_number else other).isalpha() else 1
        else:
            return _by_value(left, right, place)
    return len(left) - len(right)


def _by_value(left: str, right: str, place: int) -> int:
    before = left[:place][len(left[:place].rstrip("0123456789")) :]
    lead = "1" if "0" in (left[place], right[place]) and before.strip("0") else ""
    one, other = (_DIGITS.match(text, place)[0] for text in (left, right))  # type: ignore[index]  # it matches anything
    values = int(lead + one or "0") - int(lead + other or "0")
    return values or len(one) - len(other) or ord(left[place]) - ord(right[place])
