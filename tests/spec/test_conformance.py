"""The table of attributes, the page about it, the schema and the corpus say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from composer.project.attributes import COMPOSE
from composer.project.document import plain
from composer.project.schema import TARGET
from composer.project.source import dump_yaml, parse
from tests.make.conformance import CORPUS, PAGE, page, rows, shown
from tests.property.strategies_attributes import files
from tests.spec.test_projects_oracle import PROJECTS, runs_and_files

FILES = sorted(CORPUS.rglob("*.yaml"))


def test_the_page_is_the_one_the_table_makes() -> None:
    assert PAGE.read_text().splitlines() == list(page()), "run `python -m tests.make.conformance`"


def test_the_table_has_every_attribute_of_the_specification() -> None:
    assert len(dict(rows(COMPOSE))) == 353


def test_every_attribute_is_in_the_corpus() -> None:
    table = {path for path, _ in rows(COMPOSE)}

    assert sorted(table - shown(table).keys()) == []


class _Loader(yaml.CSafeLoader):
    """Scalars as Compose reads them: words and times stay strings."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:timestamp",)]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _untagged(loader: yaml.CSafeLoader, node: yaml.Node) -> Any:
    """What stands behind `!reset` and `!override`, as an editor sees it."""
    match node:
        case yaml.MappingNode():
            return loader.construct_mapping(node, deep=True)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case _:
            return None


for _tag in ("!reset", "!override"):
    _Loader.add_constructor(_tag, _untagged)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_the_schema_accepts_every_file_of_the_corpus(file: Path) -> None:
    data: Any = yaml.load(file.read_text(), _Loader)
    errors = Draft202012Validator(json.loads(TARGET.read_text())).iter_errors(data)

    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.stem)
def test_the_schema_accepts_the_files_of_projects_that_load(project: Path) -> None:
    runs, texts = runs_and_files(project.read_text())
    schema = Draft202012Validator(json.loads(TARGET.read_text()))
    found = [name for name in texts if name.endswith((".yaml", ".yml", ".json"))]
    documents = [] if any(run.sign == "?" for run in runs) else [parse(texts[name], name) for name in found]

    errors = [error for each in documents for document in each for error in schema.iter_errors(plain(document))]

    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(files())
def test_the_schema_accepts_any_valid_file(data: dict[str, Any]) -> None:
    errors = Draft202012Validator(json.loads(TARGET.read_text())).iter_errors(yaml.load(dump_yaml(data), _Loader))

    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []


def test_the_schema_explains_every_attribute() -> None:
    def properties(schema: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(schema, dict) and isinstance(found := schema.get("properties"), dict):
            yield from found.items()
        for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from properties(inner)

    found = list(properties(json.loads(TARGET.read_text())))
    assert [name for name, row in found if not (row.get("title") and row.get("description"))] == []
    assert sum("default" in row for _, row in found) > 40
    assert sum("examples" in json.dumps(row) for _, row in found) > 100


@pytest.mark.parametrize(
    "text",
    [
        "services: {a: {imagee: x}}",
        "services: {a: {image: x, ports: 80}}",
        "services: {a: {restart: sometimes}}",
        "services: {a: {stop_grace_period: 5 minutes}}",
        "services: {a: {mem_limit: 5 megabytes}}",
        "services: [a]",
        "volumess: {}",
    ],
)
def test_the_schema_refuses_what_is_wrong(text: str) -> None:
    assert not Draft202012Validator(json.loads(TARGET.read_text())).is_valid(yaml.safe_load(text))
