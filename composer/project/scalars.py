"""What a plain YAML scalar means, and how a scalar reads as text.

Docker Compose reads files with go-yaml, whose rules lie between YAML 1.1 and the 1.2 core schema
<https://yaml.org/spec/1.2.2/#103-core-schema>: `on`, `yes` and `22:22` are strings, `0644` is octal, `1_000` is a
number. Files must mean the same here. A date is a string here, and only where numbers become text is it what Go prints.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from decimal import Decimal

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())}
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar without tag; `null`s are `None`."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text[0] not in "0123456789+-.":
        return text
    return _number(text)


def _number(text: str) -> str | int | float:
    digits = text.replace("_", "")
    if len(digits) <= 64 and _INT.fullmatch(digits):
        value = _integer(digits)
        if -(1 << 63) <= value < 1 << 64:
            return value
    if _FLOAT.fullmatch(digits):
        return float(digits)
    if _SPECIAL.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return math.nan if text in _NAN else text


def _integer(digits: str) -> int:
    """The integer that `digits` spell as Go's base 0 does: `0x`, `0b`, `0o` and a bare `0` before octals."""
    sign, digits = (-1, digits[1:]) if digits[0] == "-" else (1, digits.removeprefix("+"))
    bare_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return sign * int(digits, 8 if bare_octal else 0)


def as_text(value: str | int | float | bool | None) -> str:
    """The value as Go prints it, which is how numbers and booleans arrive in `environment` and `labels`."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _float_text(value)
        case _:
            return str(value)


_DATE = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:[Tt ](?P<time>[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(?P<part>\.[0-9]+)?(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?"
)


def date_text(text: str) -> str:
    """A plain scalar that go-yaml takes for a timestamp, as Go prints one; any other text as it is."""
    found = _DATE.fullmatch(text)
    if not found or (found["zone"] and " " in text):
        return text
    try:
        day = datetime(*map(int, found["day"].split("-")))  # type: ignore[arg-type]
        moment = day + timedelta(**dict(zip(("hours", "minutes", "seconds"), _clock(found["time"]), strict=True)))
    except ValueError:
        return text
    part = (found["part"] or "").rstrip("0").rstrip(".")
    zone = (found["zone"] or "Z").replace(":", "")
    return f"{moment:%Y-%m-%d %H:%M:%S}{part} " + ("+0000 UTC" if zone == "Z" else f"{zone} {zone}")


def _clock(text: str | None) -> tuple[int, ...]:
    numbers = tuple(map(int, (text or "0:0:0").split(":")))
    if numbers[0] > 23 or max(numbers[1:]) > 59:
        raise ValueError(text)
    return numbers


def _float_text(value: float) -> str:
    """Go's `%v`: the shortest digits that read back the same; exponents below 1e-4 and from 1e21."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int), "infinities and NaN were dealt with"
    power = exponent + len(digits) - 1
    text = "".join(map(str, digits))
    if not value:
        text = "0"
    elif power < -4 or power >= 21:
        text = f"{text[0]}{'.' + text[1:] if text[1:] else ''}e{power:+03d}"
    else:
        text = f"{Decimal((0, digits, exponent)):f}"
    return "-" * sign + text
