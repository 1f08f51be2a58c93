"""What a 401 asks for: the `WWW-Authenticate` header (RFC 9110, 11.6.1).

Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/redis:pull"
Basic realm="Registry"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SCHEME = re.compile(r"\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s+|\s*,|$)")
_PARAMETER = re.compile(r"""\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)""")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to be let in; `scheme` and the names of parameters in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Every challenge in the header, in order; what cannot be read is left out."""
    found: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            name, quoted, bare = parameter.groups()
            parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
            position = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
    return tuple(found)
