"""What counts as a space in a Dockerfile."""

from __future__ import annotations

SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""Unicode's property White_Space; Python's own idea of it has the information separators as well."""


def is_space(character: str) -> bool:
    """Whether the character is a space."""
    return character in SPACES
