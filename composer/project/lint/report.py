"""Findings in the formats of other tools: JSON, SARIF <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>, GitHub's log."""

from __future__ import annotations

import json
from typing import Any

from composer import __version__
from composer.project.lint.finding import Finding, Level, Rule
from composer.project.lint.rules import RULES

Found = list[tuple[Rule, Finding]]


def as_json(found: Found) -> str:
    """A list of objects."""
    rows = [
        {"code": rule.code, "name": rule.name, "level": rule.level.value, "message": finding.message,
         "fix": finding.fix, **_where(finding)}
        for rule, finding in found
    ]  # fmt: skip
    return json.dumps(rows, indent=2, ensure_ascii=False)


def as_github(found: Found) -> str:
    """Workflow commands, which GitHub shows beside the line."""
    words = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
    lines = []
    for rule, finding in found:
        place = _where(finding)
        where = f" file={place['file']},line={place['line']},col={place['column']},title={rule.code}" if place else ""
        text = f"{finding.message}. {finding.fix}".replace("%", "%25").replace("\n", "%0A")
        lines.append(f"::{words[rule.level]}{where}::{text}")
    return "\n".join(lines)


def as_sarif(found: Found) -> str:
    """One run with all rules and results."""
    results = [
        {
            "ruleId": rule.code,
            "level": rule.level.value,
            "message": {"text": f"{finding.message}. {finding.fix}"},
            "locations": [_physical(finding)] if finding.mark else [],
        }
        for rule, finding in found
    ]
    rules = [
        {"id": rule.code, "name": rule.name, "shortDescription": {"text": " ".join(rule.doc.split())}} for rule in RULES
    ]
    driver = {"name": "composer", "version": __version__, "rules": rules}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps(
        {"$schema": schema, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}, indent=2
    )


def _where(finding: Finding) -> dict[str, Any]:
    mark = finding.mark
    return {"file": mark.text.name, "line": mark.line, "column": mark.column} if mark else {}


def _physical(finding: Finding) -> dict[str, Any]:
    place = _where(finding)
    region = {"startLine": place["line"], "startColumn": place["column"]}
    return {"physicalLocation": {"artifactLocation": {"uri": place["file"]}, "region": region}}
