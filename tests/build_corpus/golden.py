"""The recorded results: one file a subject, a case after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.build_corpus.cases import SUBJECTS

_DIRECTORY = Path(__file__).with_name("golden")


@cache
def recorded() -> dict[str, Any]:
    """What was recorded, by case."""
    found: dict[str, Any] = {}
    for path in sorted(_DIRECTORY.glob("*.json")):
        found |= json.loads(path.read_text())
    return found


def record(results: Mapping[str, Any]) -> None:
    """Take in the results of some cases; those that the corpus no longer has are dropped."""
    known = {**recorded(), **results}
    recorded.cache_clear()
    _DIRECTORY.mkdir(exist_ok=True)
    for subject, cases in SUBJECTS.items():
        rows = (
            f"{json.dumps(case.name)}: {json.dumps(known[case.name], indent=1, ensure_ascii=False, sort_keys=True)}"
            for case in cases
            if case.name in known
        )
        (_DIRECTORY / f"{subject}.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
