"""A variable may stand for any value: each file of the corpus means the same with all its values as defaults of variables.

That also holds for what `config --no-interpolate` makes of it, read again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from composer.project import LoadOptions, load
from composer.project.canonical import as_written, canonical
from composer.project.document import Mapping, Node, Scalar, Sequence, plain
from composer.project.source import dump_yaml, parse
from tests.spec.test_config_oracle import CASES, OVERRIDES, VARIABLES, differences

OTHER_FILES = ("include", "extends")  # what they name must be there, and be a name
FILES = sorted(path for path in CASES.glob("*.yaml") if path not in OVERRIDES and path.stem not in OTHER_FILES)


def templated(node: Node) -> Any:
    """The data with `${V:-VALUE}` for every value that can stand in one."""
    match node:
        case Mapping():
            return {key: (plain if key.startswith("x-") else templated)(value) for key, value in node.entries.items()}
        case Sequence():
            return [templated(item) for item in node.items]
        case Scalar(value=None):
            return None
        case Scalar(text=text) if isinstance(node.value, str) and any(sign in text for sign in "$}\n"):
            return node.value
    # A number that is text in the end is what YAML makes of it: in quotes it would be another.
    return f"${{V:-{node.text if isinstance(node.value, str) else str(node.value).lower()}}}"


def shown(file: Path) -> Any:
    loaded = load(options(file), VARIABLES)
    return canonical(loaded.tree, loaded.project)


def options(file: Path, *, interpolate: bool = True) -> LoadOptions:
    return LoadOptions(
        files=(str(file),), profiles=("*",), project_directory=str(CASES), project_name="proj", interpolate=interpolate
    )


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_file_whose_values_are_variables_means_the_same(tmp_path: Path, file: Path) -> None:
    (document,) = parse(file.read_text(), file.name)
    filled, again = tmp_path / "filled.yaml", tmp_path / "again.yaml"
    filled.write_text(dump_yaml(templated(document)))
    again.write_text(dump_yaml(as_written(load(options(filled, interpolate=False), VARIABLES).tree, "proj")))
    expected = shown(file)

    assert list(texts_differ(expected, shown(filled))) == []
    assert list(texts_differ(expected, shown(again))) == []


def texts_differ(expected: Any, found: Any) -> list[str]:
    """The differences, but for how numbers are spelled where they are text."""
    return [each for each in differences(expected, found) if ".environment." not in each and ".labels." not in each]
