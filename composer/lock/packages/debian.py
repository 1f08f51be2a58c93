"""Debian's record of what is installed: `/var/lib/dpkg/status`, and `status.d/*` where images are made without dpkg.

<https://www.debian.org/doc/debian-policy/ch-controlfields.html>, dpkg(1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from composer.lock.packages.records import Package, believable, stanzas


def packages(text: str) -> Iterator[Package]:
    """The packages of which a status file says that they are installed; foreign ones as `name:architecture`."""
    found: list[tuple[str, str, str]] = []
    for stanza in stanzas(text):
        # Only dpkg itself writes a status; what it has removed keeps a stanza until its configuration is purged.
        if stanza.get("Status", "install ok installed").split()[-1:] != ["installed"]:
            continue
        name, version, architecture = (stanza.get(key, "") for key in ("Package", "Version", "Architecture"))
        found.append((name, version, architecture))
    architectures = Counter(architecture for _, _, architecture in found if architecture != "all")
    native = architectures.most_common(1)[0][0] if architectures else ""
    for name, version, architecture in found:
        shown = name if architecture in ("", "all", native) else f"{name}:{architecture}"
        if believable(shown, version):
            yield shown, version
