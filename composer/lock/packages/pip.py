"""Python's record of one installed distribution: `METADATA` of a `.dist-info`, `PKG-INFO` of an `.egg-info`.

<https://packaging.python.org/en/latest/specifications/core-metadata/>; names are normalised as PEP 503 has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from composer.lock.packages.records import Package, believable, stanzas


def packages(text: str) -> Iterator[Package]:
    """The distribution that a metadata file describes, if it does; the description below the headers is not read."""
    stanza = next(stanzas(text), {})
    name = re.sub(r"[-_.]+", "-", stanza.get("Name", "")).lower()
    version = stanza.get("Version", "")
    if believable(name, version):
        yield name, version
