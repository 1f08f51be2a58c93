"""Content digests: `sha256:` and 64 hexadecimal digits.

OCI image specification, descriptor.md, "Digests"
<https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests>. Its other
registered algorithm, sha512, is refused with a sentence: nobody uses it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from composer.errors import ImageError

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of some content; `str()` gives the usual form."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The twelve digits that people are shown."""
        return self.hex[:12]

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The sha256 digest of `data`."""
        return cls("sha256", hashlib.sha256(data).hexdigest())

    @classmethod
    def parse(cls, value: str) -> Digest:
        """The digest that `value` spells. Raises ImageError for anything else, other algorithms included."""
        algorithm, _, encoded = value.partition(":")
        if algorithm != "sha256":
            raise ImageError(f"cannot use `{value}` as a digest: only `sha256:` is understood")
        if not _HEX.fullmatch(encoded):
            raise ImageError(f"cannot use `{value}` as a digest: expected 64 lower-case hexadecimal digits")
        return cls(algorithm, encoded)
