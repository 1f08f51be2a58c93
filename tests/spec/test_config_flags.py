"""`compose config` with its flags prints what Docker Compose prints with them, on files of the corpus."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from composer.project import LoadOptions, load
from composer.project.canonical import canonical
from tests.spec.test_config_oracle import CASES, OVERRIDES, VARIABLES, differences, docker, without_falsehoods

FILES = ("environment", "interpolation", "networks", "secrets_and_configs", "volumes", "lifecycle")


def paths_of(name: str) -> list[Path]:
    return [
        path
        for path in (CASES / f"{name}.yaml", CASES / f"{name}.override.yaml")
        if path.stem == name or path in OVERRIDES
    ]


def ours(paths: list[Path], *arguments: str) -> str:
    files = [word for path in paths for word in ("-f", str(path))]
    command = [sys.executable, "-m", "composer", "-p", "proj", "--profile", "*", *files, "config", *arguments]
    environment = {"PATH": os.environ["PATH"], **VARIABLES}
    return subprocess.run(command, cwd=CASES, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("flag", ["--services", "--images", "--volumes", "--profiles"])
@pytest.mark.parametrize("name", FILES[:4])
def test_lists_are_the_same(name: str, flag: str) -> None:
    paths = paths_of(name)

    assert sorted(ours(paths, flag).split()) == sorted(docker(paths, flag).stdout.split())


@pytest.mark.parametrize(
    "flags", [("--no-path-resolution",), ("--no-normalize",), ("--no-path-resolution", "--no-normalize")]
)
@pytest.mark.parametrize("name", FILES[:5])
def test_what_is_left_out_is_the_same(name: str, flags: tuple[str, ...]) -> None:
    paths = paths_of(name)
    theirs = yaml.safe_load(docker(paths, *flags).stdout)
    our = without_falsehoods(yaml.safe_load(ours(paths, *flags)))

    assert list(differences(theirs, our)) == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_whose_variables_stay_means_the_same(tmp_path: Path, name: str) -> None:
    """The forms differ: there they are as written, here the long ones. So both are read again."""
    paths = paths_of(name)

    def read(text: str, place: str) -> Any:
        (tmp_path / place).mkdir()
        file = tmp_path / place / "compose.yaml"
        file.write_text(text)
        loaded = load(LoadOptions(files=(str(file),), profiles=("*",), project_directory=str(CASES)), VARIABLES)
        return canonical(loaded.tree, loaded.project)

    assert read(ours(paths, "--no-interpolate"), "ours") == read(docker(paths, "--no-interpolate").stdout, "theirs")


def test_variables_are_named_once_each_with_their_defaults() -> None:
    rows = {
        line.split()[0]: line.split()[1:] for line in ours(paths_of("interpolation"), "--variables").splitlines()[1:]
    }
    theirs = {
        line.split()[0]: line.split()[1:]
        for line in docker(paths_of("interpolation"), "--variables").stdout.splitlines()[1:]
    }

    assert theirs.keys() <= rows.keys()
    plain = {name for name, row in theirs.items() if len(row) == 2 and row[0] == "false" and name != "EMPTY"}
    assert {name: rows[name] for name in plain} == {name: theirs[name] for name in plain}


def test_output_goes_to_a_file_and_quiet_says_nothing(tmp_path: Path) -> None:
    paths = paths_of("networks")
    printed = ours(paths)

    assert ours(paths, "-o", str(tmp_path / "out.yaml")) == ""
    assert (tmp_path / "out.yaml").read_text() == printed
    assert ours(paths, "-q") == ""


def test_values_of_secrets_are_never_printed(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(
        "services: {a: {image: i, secrets: [s], build: {context: ., secrets: [s]}}}\nsecrets: {s: {environment: CERT}}"
    )

    for flags in (
        (),
        ("--environment",),
        ("--format", "json"),
        ("--no-normalize",),
        ("--no-interpolate",),
        ("--variables",),
    ):
        assert VARIABLES["CERT"] not in ours([file], *flags)
