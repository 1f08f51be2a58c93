from __future__ import annotations

from typing import Any

from composer.engine.building.freshness import Inputs, change, settings_of
from composer.engine.building.inputs import pack, unpack
from composer.project.model import Build, Grant

LINES = {
    ("services", "web", "build", "target"): "compose.yaml:5",
    ("services", "web", "build", "args", "V"): "compose.yaml:7",
}


def inputs(files: dict[str, str] | None = None, images: dict[str, str] | None = None, **build: Any) -> Inputs:
    return Inputs(settings_of(Build(context="/p", **build), "", "salt"), images or {}, files or {})


def cause(before: Inputs, now: Inputs) -> str:
    return change(before, now, "web", lambda path: LINES.get(path, ""))


def test_the_same_inputs_make_the_same_image() -> None:
    before = inputs({"a": "1"}, {"alpine": "sha256:1"}, target="dev", args={"V": "1"})

    assert cause(before, before) == ""
    assert cause(inputs(), inputs(cache_from=("x",), no_cache=True, pull=True, no_cache_filter=("b",))) == ""


def test_a_file_is_named() -> None:
    before = inputs({"src/app.py": "1", "src/b.py": "1", "old": "1", "z": "1"})

    assert cause(before, inputs({**before.files, "src/app.py": "2"})) == "src/app.py changed"
    assert cause(before, inputs({**before.files, "new": "1"})) == "new is new"
    assert cause(before, inputs({"src/app.py": "2", "src/b.py": "1", "z": "2"})) == (
        "src/app.py changed, z changed, and 1 more"
    )
    assert cause(inputs({"old": "1"}), inputs()) == "old is gone"


def test_an_attribute_is_named_with_its_values_and_place() -> None:
    assert cause(inputs(target="dev"), inputs(target="prod")) == "build.target: dev -> prod, compose.yaml:5"
    assert cause(inputs(), inputs(labels={"a.b": "c"})) == "build.labels.a.b: none -> c"
    assert cause(inputs(), inputs(secrets=(Grant(source="t", target="token"),))) == "build.secrets: none -> token"


def test_the_value_of_an_argument_is_never_in_a_cause_nor_kept() -> None:
    before, now = inputs(args={"V": "hunter2"}), inputs(args={"V": "hunter3"})

    assert cause(before, now) == "build argument V changed, compose.yaml:7"
    assert cause(before, inputs()) == "build argument V is gone, compose.yaml:7"
    assert "hunter" not in str(before)


def test_a_base_image_counts_once_another_is_there() -> None:
    before = inputs(images={"python:3.12": "sha256:1"})

    assert cause(before, inputs(images={"python:3.12": "sha256:2"})) == "python:3.12 changed"
    assert cause(before, inputs(images={"python:3.12": ""})) == ""


def test_where_a_context_lies_does_not_count_unless_it_is_elsewhere() -> None:
    here = settings_of(Build(context="/here"), "", "s")

    assert here == settings_of(Build(context="/there"), "", "s")
    assert here != settings_of(Build(context="https://example.com/a.git"), "", "s")


def test_digests_are_packed_whatever_files_are_called() -> None:
    files = {"a": "1", "caf\u00e9": "2", "broken \udcff": "3"}

    assert unpack(pack(files)) == files


def test_what_was_packed_in_another_way_is_not_known() -> None:
    assert unpack("c-no&<base64>") == unpack("") == unpack("AAAA") == {}
