"""Alpine's record of what is installed: `/lib/apk/db/installed`, which names its fields by letters.

<https://wiki.alpinelinux.org/wiki/Apk_spec>
"""

from __future__ import annotations

from collections.abc import Iterator

from composer.lock.packages.records import Package, believable, stanzas


def packages(text: str) -> Iterator[Package]:
    """The packages of an `installed` file."""
    for stanza in stanzas(text):
        name, version = stanza.get("P", ""), stanza.get("V", "")
        if believable(name, version):
            yield name, version
