"""`--format TEMPLATE`: what scripts write of Go's templates for the answers of Docker's commands.

`{{.Name}}`, `{{.Label "key"}}`, `{{json .Ports}}`, `{{json .}}`, `{{upper .State}}`, `{{lower .State}}`, and `\\t` and `\\n`;
`table` in front of it makes aligned columns with headings. Conditions, loops and pipes are refused: that is what
`--format json` is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from composer.cli.render.answer import compact
from composer.cli.render.table import table
from composer.errors import UsageError

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELD = re.compile(r'(?:(json|upper|lower)\s+)?\.(\w*)(?:\s+"([^"]*)")?')
_HEADINGS = {"ID": "CONTAINER ID", "RunningFor": "CREATED", "CreatedAt": "CREATED AT", "ExitCode": "EXIT CODE"}
_TABLE = "table "


def is_template(text: str) -> bool:
    """Whether a format is a template rather than a word."""
    return "{{" in text


def rendered(template: str, records: Iterable[Mapping[str, Any]], fields: Iterable[str]) -> str:
    """What `template` makes of records that have `fields`. Raises UsageError for what is not understood."""
    known = tuple(fields)
    body = template.removeprefix(_TABLE).replace("\\t", "\t").replace("\\n", "\n")
    for action in _ACTION.findall(body):
        _check(action, known)
    if "{{" in _ACTION.sub("", body):
        raise UsageError(f"`{template}` has `{{{{` without `}}}}`", hint="write for instance `{{.Name}}`")
    lines = [_ACTION.sub(lambda found, record=record: _value(found[1], record), body) for record in records]  # type: ignore[misc]
    if not template.startswith(_TABLE):
        return "".join(f"{line}\n" for line in lines)
    headings = _ACTION.sub(lambda found: _heading(found[1]), body)
    return table(headings.split("\t"), [line.split("\t") for line in lines])


def _check(action: str, known: tuple[str, ...]) -> None:
    found = _FIELD.fullmatch(action)
    if found is None or (not found[2] and found[1] != "json"):
        raise UsageError(
            f"`{{{{{action}}}}}` is not understood", hint="write `{{.Field}}` or `{{json .}}`, or use `--format json`"
        )
    if found[2] == "Label" and found[3] is not None:
        return
    if found[2] and found[2] not in known:
        near = get_close_matches(found[2], known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"the fields are {', '.join(known)}"
        raise UsageError(f"there is no field `{found[2]}`", hint=hint)


def _value(action: str, record: Mapping[str, Any]) -> str:
    found = _FIELD.fullmatch(action)
    assert found is not None  # checked
    function, name, key = found.groups()
    value: Any = dict(record) if not name else record.get(name, "")
    if name == "Label" and key is not None:
        labels = dict(label.partition("=")[::2] for label in str(record.get("Labels", "")).split(","))
        value = labels.get(key, "")
    if function == "json":
        return compact(value)
    text = value if isinstance(value, str) else compact(value)
    return text.upper() if function == "upper" else text.lower() if function == "lower" else text


def _heading(action: str) -> str:
    found = _FIELD.fullmatch(action)
    assert found is not None
    name, key = found[2], found[3]
    return key or _HEADINGS.get(name, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).upper())
