"""What package records have in common: stanzas of `Key: value` lines, and names and versions that may be believed."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAME = re.compile(r"(?:@[A-Za-z0-9._~-]{1,100}/)?[A-Za-z0-9._~+-]{1,200}(?::[a-z0-9-]{1,20})?")
_VERSION = re.compile(r"[A-Za-z0-9.+:~_!^*=-]{1,200}")

Package = tuple[str, str]
"""Name and version."""


def believable(name: str, version: str) -> bool:
    """Whether these look like a package's name and version in any ecosystem."""
    return bool(_NAME.fullmatch(name) and _VERSION.fullmatch(version))


def stanzas(text: str, separator: str = ":") -> Iterator[dict[str, str]]:
    """The blocks of `Key: value` lines between blank lines; of a value that goes on in further lines only the first."""
    stanza: dict[str, str] = {}
    for line in text.split("\n"):
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
            continue
        if line[0] in " \t":
            continue
        key, found, value = line.partition(separator)
        if found:
            stanza.setdefault(key, value.strip())
    if stanza:
        yield stanza
