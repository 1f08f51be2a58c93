from __future__ import annotations

import json

from composer.project.attributes import NOT_HONOURED_YET, SERVICE
from composer.project.records import Status
from composer.project.schema import TARGET, compose_schema


def test_the_committed_schema_is_the_one_the_table_makes() -> None:
    assert json.loads(TARGET.read_text()) == compose_schema(), "run `python -m composer.project.schema`"


def test_every_honoured_attribute_is_described() -> None:
    for name, attribute in SERVICE.attributes.items():
        assert attribute.doc or attribute.status is Status.KNOWN, name


def test_what_has_no_effect_says_so_in_the_editor() -> None:
    service = compose_schema()["$defs"]["service"]["properties"]

    assert "Not supported yet" in service["logging"]["description"]
    assert all("Not supported yet" in service[name]["description"] for name in NOT_HONOURED_YET)
    assert "Not supported yet" not in service["image"]["description"]


def test_attributes_that_are_not_honoured_exist() -> None:
    assert SERVICE.attributes.keys() >= NOT_HONOURED_YET
