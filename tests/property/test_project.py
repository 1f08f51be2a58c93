from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from composer.errors import ProjectError
from composer.project import LoadOptions, load
from composer.project.attributes import COMPOSE, SERVICE
from composer.project.canonical import canonical
from composer.project.document import Mapping, plain
from composer.project.dotenv import parse_dotenv
from composer.project.interpolate import TemplateError, substitute
from composer.project.model import Project
from composer.project.quantities import format_duration, parse_duration
from composer.project.source import dump_yaml, parse
from tests.property.strategies_project import JUNK, projects


def unset(name: str) -> str | None:
    return None


def loaded(*texts: str) -> Project:
    return both(*texts)[1]


def both(*texts: str) -> tuple[Mapping, Project]:
    """The merged tree, and the project without the names of its files."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, f"{index}.yaml") for index in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        files = tuple(map(str, paths))
        options = LoadOptions(files=files, project_name="p", project_directory="/project")
        found = load(options, {})
        return found.tree, found.project.model_copy(update={"compose_files": ()})


@settings(max_examples=40, deadline=None)
@given(projects())
def test_merging_an_empty_override_changes_nothing(data: dict[str, Any]) -> None:
    empty = dump_yaml({"services": {name: {} for name in data["services"]}})

    assert loaded(dump_yaml(data), empty) == loaded(dump_yaml(data))


@settings(max_examples=40, deadline=None)
@given(projects())
def test_merging_a_file_with_itself_changes_nothing(data: dict[str, Any]) -> None:
    assert loaded(dump_yaml(data), dump_yaml(data)) == loaded(dump_yaml(data))


@settings(max_examples=60, deadline=None)
@given(projects())
def test_the_canonical_form_loads_as_the_same_project(data: dict[str, Any]) -> None:
    tree, project = both(dump_yaml(data))

    printed = canonical(tree, project)
    again_tree, again = both(dump_yaml(printed))

    assert again == project
    assert canonical(again_tree, again) == printed
    assert Project.model_validate_json(project.model_dump_json()) == project


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(SERVICE.attributes)), JUNK, JUNK)
def test_no_value_of_an_attribute_makes_loading_fail_in_another_way(name: str, value: Any, other: Any) -> None:
    first = {"services": {"web": {"image": "i", name: value}}}
    second = {"services": {"web": {name: other}}}
    with contextlib.suppress(ProjectError):
        canonical(*both(dump_yaml(first), dump_yaml(second)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(COMPOSE.attributes)), JUNK)
def test_no_value_of_a_section_makes_loading_fail_in_another_way(name: str, value: Any) -> None:
    with contextlib.suppress(ProjectError):
        canonical(*both(dump_yaml({"services": {"web": {"image": "i"}}} | {name: value})))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_text_makes_the_yaml_reader_fail_in_another_way(text: str) -> None:
    with contextlib.suppress(ProjectError):
        parse(text, "c.yaml")


@settings(max_examples=200, deadline=None)
@given(st.text("{}[]:,-&*!|>'\"%@`#?<= \t\nab$", max_size=60))
def test_no_file_of_yaml_signs_makes_loading_fail_in_another_way(text: str) -> None:
    with contextlib.suppress(ProjectError):
        loaded(f"services:\n  web:\n    image: i\n{text}")


@settings(max_examples=200, deadline=None)
@given(st.text("${}:-?+AB ", max_size=30))
def test_a_template_is_filled_in_or_refused(text: str) -> None:
    with contextlib.suppress(TemplateError):
        substitute(text, {"A": "1"}.get)


@settings(max_examples=200, deadline=None)
@given(st.text("AB=:'\"\\$#{} \n\t", max_size=40))
def test_a_variable_file_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ProjectError):
        parse_dotenv(text, ".env", {"A": "1"}.get)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_single_quotes_keep_a_value_as_it_is(value: str) -> None:
    quoted = value.replace("\\", "").replace("'", "\\'")

    assert parse_dotenv(f"A='{quoted}'", ".env", unset) == {"A": value.replace("\\", "")}


@given(st.text())
def test_a_dollar_doubled_is_a_dollar(value: str) -> None:
    assert substitute(value.replace("$", "$$"), unset) == value


@given(st.integers(0, 10**15))
def test_a_duration_reads_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds / 1e9)) == round(nanoseconds / 1e9, 9)


@settings(max_examples=200, deadline=None)
@given(st.text("\n \t\r\x85\u2028\ufeffab:#-'\"|>&*%@`=<~?!,[]{}0.1é", max_size=10))
def test_any_text_reads_back_as_it_was_printed(text: str) -> None:
    (document,) = parse(dump_yaml({"key": {"inner": text}, "list": [text]}), "printed")

    assert plain(document) == {"key": {"inner": text}, "list": [text]}
