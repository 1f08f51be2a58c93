from __future__ import annotations

from typing import Any

import pytest

from composer.cli.render.template import is_template, rendered
from composer.errors import UsageError

FIELDS = ("Name", "State", "Labels", "Publishers", "RunningFor")
RECORDS: list[dict[str, Any]] = [
    {
        "Name": "web",
        "State": "running",
        "Labels": "a=b,c=d=e",
        "Publishers": [{"URL": "::"}],
        "RunningFor": "1 day ago",
    },
    {"Name": "database", "State": "exited", "Labels": "", "Publishers": [], "RunningFor": "2 days ago"},
]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Name}}", "web\ndatabase\n"),
        ("{{ .Name }}: {{upper .State}}", "web: RUNNING\ndatabase: EXITED\n"),
        ("{{.Name}}\\t{{.State}}", "web\trunning\ndatabase\texited\n"),
        ("{{json .Publishers}}", '[{"URL":"::"}]\n[]\n'),
        ('{{.Label "c"}}', "d=e\n\n"),
        ("table {{.Name}}\\t{{.RunningFor}}", "NAME       CREATED\nweb        1 day ago\ndatabase   2 days ago\n"),
    ],
)
def test_what_scripts_write_is_filled_in(template: str, expected: str) -> None:
    assert is_template(template)
    assert rendered(template, RECORDS, FIELDS) == expected


def test_a_whole_record_is_json() -> None:
    assert rendered("{{json .}}", RECORDS[:1], FIELDS).startswith('{"Name":"web","State"')


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{.Nmae}}", "no field `Nmae`"),
        ("{{.}}", "not understood"),
        ("{{range .Publishers}}", "not understood"),
        ("{{.Name", "without `}}`"),
    ],
)
def test_what_is_not_understood_is_named(template: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        rendered(template, RECORDS, FIELDS)


def test_nothing_to_show_is_still_checked() -> None:
    with pytest.raises(UsageError):
        rendered("{{.Nmae}}", [], FIELDS)
