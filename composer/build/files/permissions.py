"""`--chmod`: octal, or symbolic as chmod(1) takes it.

<https://docs.docker.com/reference/dockerfile/#copy---chown---chmod>. Without a class (`+x`) all are meant: there is no umask in
a build. Applied to each file and directory that is copied, never to links.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass

from composer.build.dockerfile.ownership import CLAUSE, MODE_HINT, is_mode
from composer.build.files.failures import FilesError, Reason

_ACTION = re.compile(r"([-+=])([ugo](?![rwxXst])|[rwxXst]*)")
_BITS = {"r": 0o4, "w": 0o2, "x": 0o1}
_SHIFT = {"u": 6, "g": 3, "o": 0}


@dataclass(frozen=True, slots=True)
class Permissions:
    """What `--chmod` says; `text` belongs into the cache key."""

    text: str
    octal: int | None = None

    def apply(self, mode: int) -> int:
        """The permission bits for a file whose `st_mode` is `mode`."""
        if self.octal is not None:
            return self.octal
        bits = stat.S_IMODE(mode)
        for clause in self.text.split(","):
            found = CLAUSE.fullmatch(clause)
            if found is not None:
                for operator, what in _ACTION.findall(found[2]):
                    bits = _changed(bits, mode, found[1] or "a", operator, what)
        return bits


def parse_permissions(text: str) -> Permissions:
    """What `text` says. Raises FilesError."""
    if not is_mode(text):
        raise FilesError(Reason.MODE, f"`{text}`: is no mode", hint=MODE_HINT)
    return Permissions(text, int(text, 8) if text.isdecimal() else None)


def _changed(bits: int, mode: int, who: str, operator: str, what: str) -> int:
    who = "ugo" if "a" in who else who
    mask = sum(0o7 << _SHIFT[one] for one in set(who))
    special = (stat.S_ISUID if "u" in who else 0) | (stat.S_ISGID if "g" in who else 0)
    if what in _SHIFT:
        three = bits >> _SHIFT[what] & 0o7
        chosen = sum(three << _SHIFT[one] for one in set(who))
    else:
        three = sum(_BITS[letter] for letter in set(what) & set(_BITS))
        if "X" in what and (stat.S_ISDIR(mode) or bits & 0o111):
            three |= 0o1
        chosen = sum(three << _SHIFT[one] for one in set(who))
        chosen |= special if "s" in what else 0
        chosen |= stat.S_ISVTX if "t" in what else 0
    if operator == "+":
        return bits | chosen
    if operator == "-":
        return bits & ~chosen
    return bits & ~(mask | special | (stat.S_ISVTX if who == "ugo" and "t" in what else 0)) | chosen
