"""Platforms as people write them, and which images run on which machine.

Names and variants are normalised as containerd does it <https://pkg.go.dev/github.com/containerd/platforms>: `x86_64` is
`amd64`, `arm64` means `arm64/v8`, `arm` means `arm/v7`. A machine also runs what was made for a lower variant.
"""

from __future__ import annotations

import platform as machine
import re

from composer.errors import ImageError
from composer.oci.descriptor import Platform

_ARCHITECTURES = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armv8l": "arm64", "armhf": "arm", "armel": "arm",
    "armv7l": "arm", "armv6l": "arm", "i686": "386", "i386": "386",
}  # fmt: skip
_VARIANTS = {"armv7l": "v7", "armv6l": "v6", "armhf": "v7", "armel": "v6"}
_IMPLIED = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
_WORD = re.compile(r"[a-z0-9][a-z0-9_.-]*")


def this_platform() -> Platform:
    """The platform of this machine."""
    name = machine.machine().lower()
    return Platform(_ARCHITECTURES.get(name, name), "linux", _VARIANTS.get(name, ""))


def parse_platform(text: str) -> Platform:
    """`os/architecture[/variant]`, or only one of the first two. Raises ImageError."""
    words = text.lower().split("/")
    if len(words) > 3 or not all(_WORD.fullmatch(word) for word in words):
        raise ImageError(
            f"cannot use `{text}` as a platform", hint="write for instance `linux/amd64` or `linux/arm/v7`"
        )
    here = this_platform()
    if len(words) == 1:
        if words[0] in ("linux", "windows", "darwin", "freebsd"):
            return Platform(here.architecture, words[0], here.variant)
        words = ["linux", words[0]]
    system, name, variant = (*words, "")[:3]
    return Platform(_ARCHITECTURES.get(name, name), system, variant or _VARIANTS.get(name, ""))


def rank(offered: Platform, wanted: Platform) -> int | None:
    """How well what was made for `offered` runs on `wanted`: 0 is exactly, more is worse, None is not at all."""
    if (offered.os, _architecture(offered)) != (wanted.os, _architecture(wanted)):
        return None
    lower = _level(wanted) - _level(offered)
    return lower if lower >= 0 else None


def _architecture(platform: Platform) -> str:
    return _ARCHITECTURES.get(platform.architecture, platform.architecture)


def _level(platform: Platform) -> int:
    variant = platform.variant or _IMPLIED.get(_architecture(platform), "")
    digits = variant.removeprefix("v").partition(".")[0]
    return int(digits[:4]) if digits.isdecimal() else 0
