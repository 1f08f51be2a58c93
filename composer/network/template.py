"""Messages that differ in a few values only: encoded once, afterwards the values are put into place.

A container's start sends the same four messages as every other; encoding them anew costs two milliseconds, filling in a few
microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """A message and where its variable parts are: for each of them the offsets at which it stands."""

    message: bytes
    places: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, message: bytes, *markers: bytes) -> Template:
        """The template of a message that was encoded with `markers`, bytes found nowhere else in it, as its values."""
        return cls(message, tuple(tuple(_offsets(message, marker)) for marker in markers))

    def fill(self, *values: bytes) -> bytes:
        """The message with `values`, each as long as its marker, in the markers' order."""
        filled = bytearray(self.message)
        for value, offsets in zip(values, self.places, strict=True):
            for offset in offsets:
                filled[offset : offset + len(value)] = value
        return bytes(filled)


def _offsets(message: bytes, marker: bytes) -> list[int]:
    found = [at for at in range(len(message)) if message.startswith(marker, at)]
    assert found, f"{marker!r} is not in the message"
    return found
