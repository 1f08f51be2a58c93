"""npm's record of one installed package: its `package.json` below `node_modules`.

<https://docs.npmjs.com/cli/configuring-npm/package-json>
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from composer.lock.packages.records import Package, believable


def packages(text: str) -> Iterator[Package]:
    """The package that a `package.json` describes, if it does."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    name, version = document.get("name"), document.get("version")
    if isinstance(name, str) and isinstance(version, str) and believable(name, version):
        yield name, version
