from __future__ import annotations

import json
from collections.abc import Iterator

from composer.project.attributes import COMPOSE
from composer.project.records import Attribute, ListOf, MapOf, Record, Status
from composer.project.schema import TARGET, compose_schema
from composer.project.shapes import Shape


def rows(shape: Shape, path: str = "") -> Iterator[tuple[str, Attribute]]:
    """Every row of the table, by path."""
    match shape:
        case Record(attributes):
            for name, attribute in attributes.items():
                yield f"{path}.{name}", attribute
                yield from rows(attribute.shape, f"{path}.{name}")
        case ListOf(item):
            yield from rows(item, f"{path}[]")
        case MapOf(value):
            yield from rows(value, f"{path}.*")
        case _:
            pass


def test_the_committed_schema_is_the_one_the_table_makes() -> None:
    assert json.loads(TARGET.read_text()) == compose_schema(), "run `python -m composer.project.schema`"


def test_every_attribute_is_described() -> None:
    assert [path for path, attribute in rows(COMPOSE) if not attribute.doc] == []


def test_what_has_no_effect_says_so_in_the_editor() -> None:
    service = compose_schema()["$defs"]["service"]["properties"]
    said = {name for name, row in service.items() if "Not supported yet" in row.get("description", "")}

    assert said == {name for name, row in COMPOSE_SERVICE.items() if row.status is not Status.HONOURED}


COMPOSE_SERVICE = {path.rpartition(".")[2]: row for path, row in rows(COMPOSE) if path.startswith(".services.*.")
                   and path.count(".") == 3 and "[]" not in path}  # fmt: skip
