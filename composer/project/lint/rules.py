"""All rules, by code; codes are never used again for something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from composer.project.lint import environment, images, ports, unused
from composer.project.lint.finding import Finding, Level, Rule

if TYPE_CHECKING:
    from composer.project.loader import Loaded

RULES = (
    Rule("C001", "unpinned-image", Level.WARNING, images.unpinned),
    Rule("C002", "published-database", Level.WARNING, ports.database_published),
    Rule("C003", "database-not-waited-for", Level.WARNING, images.database_not_waited_for),
    Rule("C004", "health-unknown", Level.ERROR, images.health_unknown),
    Rule("C005", "env-file-for-interpolation", Level.WARNING, environment.env_file_for_interpolation),
    Rule("C006", "secret-in-plain", Level.WARNING, environment.secret_in_plain),
    Rule("C007", "sexagesimal-port", Level.NOTE, ports.sexagesimal),
    Rule("C008", "changed-by-yaml", Level.WARNING, environment.changed_by_yaml),
    Rule("C009", "published-twice", Level.WARNING, ports.published_twice),
    Rule("C010", "unused", Level.WARNING, unused.unused),
    Rule("C011", "engine-socket", Level.NOTE, unused.engine_socket),
    Rule("C012", "published-to-everybody", Level.NOTE, ports.published_to_everybody),
    Rule("C013", "port-taken", Level.ERROR, ports.taken),
)


def findings(loaded: Loaded) -> list[tuple[Rule, Finding]]:
    """Everything that the rules find, in file order, by code where several are at one place."""
    found = [(rule, finding) for rule in RULES for finding in rule.check(loaded)]
    return sorted(found, key=lambda entry: (_place(entry[1]), entry[0].code))


def _place(finding: Finding) -> tuple[int, int, int]:
    mark = finding.mark
    return (mark.text.order, mark.line, mark.column) if mark else (1 << 30, 0, 0)


def page() -> Iterator[str]:
    """`docs/checks.md`: a table of the rules."""
    yield "# What `compose check` looks for"
    yield ""
    yield "Errors and warnings make the command fail (exit code 1), notes do not. Generated from the rules."
    yield ""
    yield "| code | name | level | why |"
    yield "|---|---|---|---|"
    for rule in RULES:
        yield f"| {rule.code} | {rule.name} | {rule.level} | {' '.join(rule.doc.split())} |"
