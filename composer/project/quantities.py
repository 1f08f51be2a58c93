"""Durations and byte sizes, as the Compose Specification writes them.

Durations <https://github.com/compose-spec/compose-spec/blob/main/11-extension.md#specifying-durations>: `1h5m30s20ms`,
here as seconds. Sizes: `b k kb m mb g gb t tb` in powers of 1024, a bare number is bytes.
"""

from __future__ import annotations

import re

from composer.project.shapes import FormError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_WORDY = re.compile(
    r"([0-9.]+) *(s|sec|secs|seconds?|m|min|mins|minutes?|h|hrs?|hours?|days?)(?![a-z]) *", re.IGNORECASE
)
_SHORT = {"s": "s", "m": "m", "h": "h", "d": "d"}
_LONGEST = 2**63 / 1e9
"""Seconds: what Go's durations can say."""
_LARGEST = 2**63 - 1
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d|w)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([bkmgt]?)i?b?", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds.

    Raises:
        FormError: `text` is not a duration; a bare number other than 0 lacks its unit.
    """
    word = text.strip()
    if word in ("0", "+0", "-0"):
        return 0.0
    pieces = _PIECE.findall(word)
    if not pieces or "".join(number + unit for number, unit in pieces) != word.removeprefix("+"):
        usual = _WORDY.sub(
            lambda found: found[1] + _SHORT[found[2][0].lower()], f"{word}s" if word.isdecimal() else word
        )
        hint = "write it like `1m30s`; units are h m s ms us"
        if _PIECE.sub("", usual) == "":
            hint = f"did you mean `{usual}`?"
        raise FormError(f"`{text}` is not a duration", label="expected a number with a unit", hint=hint)
    seconds = round(sum(float(number) * _UNITS[unit] for number, unit in pieces), 9)
    if seconds > _LONGEST:
        raise FormError(f"`{text}` is too long", label="expected less than 290 years")
    return seconds


def format_duration(seconds: float) -> str:
    """The duration as Go prints it: `1m30s`, `0s`, `500ms`."""
    rest = round(seconds * 1_000_000_000)
    if rest == 0:
        return "0s"
    if rest < 1_000_000_000:
        unit, size = next((unit, size) for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if rest >= size)
        return f"{_decimal(rest, size)}{unit}"
    minutes, rest = divmod(rest, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if hours or minutes else ""
    return f"{text}{_decimal(rest, 10**9)}s"


def _decimal(count: int, size: int) -> str:
    whole, part = divmod(count, size)
    return f"{whole}.{part:0{len(str(size)) - 1}d}".rstrip("0").rstrip(".")


def parse_limit(text: str) -> int:
    """Bytes, or -1: no limit.

    Raises:
        FormError: `text` is neither.
    """
    return -1 if text.strip() == "-1" else parse_size(text)


def parse_size(text: str) -> int:
    """Bytes.

    Raises:
        FormError: `text` is not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        wordy = re.fullmatch(
            r"([0-9.]+) *([kmgt])(?:ilo|ega|iga|era|ibi|ebi)?b?(?:ytes?)?", text.strip(), re.IGNORECASE
        )
        hint = "write it like `64m` or `1.5gb`; units are b k m g t"
        hint = f"did you mean `{wordy[1]}{wordy[2].lower()}`?" if wordy else hint
        raise FormError(f"`{text}` is not a size", label="expected a number with a unit", hint=hint)
    size = float(found[1]) * 1024 ** " kmgt".index(found[2].lower().replace("b", "") or " ")
    if size > _LARGEST:
        raise FormError(f"`{text}` is too large", label="expected less than 8 EiB")
    return int(size)
