from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from composer.errors import ProjectError
from composer.project.model import Project
from composer.project.reading import recorded
from tests.unit.project.loading import load_in, write

FILE = "services: {web: {image: 'i:${TAG:-none}'}}"


def image(directory: Path, environment: dict[str, str] | None = None, **options: Any) -> str | None:
    return found(directory, environment, **options).services["web"].image


def found(directory: Path, environment: dict[str, str] | None = None, **options: Any) -> Project:
    return load_in(directory, environment, **options).project


def test_the_names_have_an_order(tmp_path: Path) -> None:
    names = ["docker-compose.yaml", "docker-compose.yml", "compose.yml", "compose.yaml"]
    for name in names:
        write(tmp_path, {name: FILE})
        assert found(tmp_path).compose_files == (str(tmp_path / name),)
    (warning,) = load_in(tmp_path).warnings
    assert (
        "`compose.yaml` is used, and not `compose.yml`, `docker-compose.yml`, `docker-compose.yaml`" in warning.message
    )


def test_files_that_would_have_been_read_are_on_record(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "include: [sub/other.yaml]\n" + FILE, "sub/other.yaml": "{}"})
    with recorded() as files:
        found(tmp_path)

    absent = {"compose.override.yml", "compose.override.yaml", ".env", "sub/.env"}
    assert {tmp_path / name for name in absent} <= set(files)


def test_parent_directories_are_searched_and_become_the_project_directory(tmp_path: Path) -> None:
    write(tmp_path, {"shop/compose.yaml": FILE, "shop/a/b/x": ""})
    project = found(tmp_path / "shop/a/b")

    assert project.working_dir == str(tmp_path / "shop")
    assert project.name == "shop"


def test_an_override_beside_the_file_is_merged(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": FILE, "compose.override.yml": "services: {web: {image: over}}"})

    assert image(tmp_path) == "over"
    assert image(tmp_path, files=("compose.yaml",)) == "i:none"


def test_files_named_by_flag_or_variable_are_merged_in_order(tmp_path: Path) -> None:
    write(tmp_path, {"d/a.yaml": FILE, "b.yaml": "services: {web: {image: b, volumes: [./x:/x]}}"})

    assert image(tmp_path, {"COMPOSE_FILE": "d/a.yaml:b.yaml"}) == "b"
    assert image(tmp_path, {"COMPOSE_FILE": "b.yaml,d/a.yaml", "COMPOSE_PATH_SEPARATOR": ","}) == "i:none"
    project = found(tmp_path, {"COMPOSE_FILE": "nope.yaml"}, files=("d/a.yaml", "b.yaml"))
    assert project.working_dir == str(tmp_path / "d")
    assert project.services["web"].volumes[0].source == str(tmp_path / "d/x")


def test_standard_input_is_a_file_too(tmp_path: Path) -> None:
    project = found(tmp_path, files=("-",), read_stdin=FILE.encode, project_name="p")

    assert project.compose_files == ("-",)
    assert project.working_dir == str(tmp_path)


def test_standard_input_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="standard input: it is not UTF-8"):
        found(tmp_path, files=("-",), read_stdin=lambda: b"services: {a: {image: \xff}}", project_name="p")


def test_a_compose_file_variable_above_is_relative_to_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": FILE, ".env": "COMPOSE_FILE=d/b.yaml\n", "d/b.yaml": FILE, "sub/x": ""})

    assert found(tmp_path / "sub").working_dir == str(tmp_path / "d")


def test_the_project_directory_can_be_moved(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a/compose.yaml": "services: {web: {image: i, volumes: ['./x:/x', '../y:/y', '~/z:/z']}}", "b/.env": "TAG=b"},
    )
    project = found(tmp_path, {"HOME": "/home/u"}, files=("a/compose.yaml",), project_directory="b")

    assert [mount.source for mount in project.services["web"].volumes] == [
        str(tmp_path / "b/x"), str(tmp_path / "y"), "/home/u/z",
    ]  # fmt: skip
    assert project.name == "b"


def test_the_shell_goes_before_the_dotenv_file(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": FILE, ".env": "TAG=dotenv", "other.env": "TAG=other", "more.env": "TAG=more$TAG"})

    assert image(tmp_path) == "i:dotenv"
    assert image(tmp_path, {"TAG": "shell"}) == "i:shell"
    assert image(tmp_path, env_files=("other.env",)) == "i:other"
    assert image(tmp_path, env_files=("other.env", "more.env")) == "i:moreother"
    assert image(tmp_path, {"COMPOSE_ENV_FILES": "other.env"}) == "i:other"
    assert image(tmp_path, {"COMPOSE_DISABLE_ENV_FILE": "1"}) == "i:none"


def test_the_dotenv_file_may_name_the_compose_files(tmp_path: Path) -> None:
    write(
        tmp_path, {"x.yaml": FILE, ".env": "COMPOSE_FILE=x.yaml\nCOMPOSE_PROJECT_NAME=from-dotenv\nCOMPOSE_PROFILES=a"}
    )

    assert found(tmp_path).name == "from-dotenv"


def test_the_name_comes_from_flag_variable_file_or_directory(tmp_path: Path) -> None:
    directory = tmp_path / "My App.2"
    named = "name: ${N:-in-file}\n" + FILE.replace("none", "${COMPOSE_PROJECT_NAME}")
    write(directory, {"compose.yaml": FILE, "named.yaml": named})

    assert found(directory).name == "myapp2"
    assert found(directory, files=("named.yaml",)).name == "in-file"
    assert image(directory, files=("named.yaml",)) == "i:in-file"
    assert found(directory, {"N": "n"}, files=("named.yaml",)).name == "n"
    assert found(directory, {"COMPOSE_PROJECT_NAME": "var"}, files=("named.yaml",)).name == "var"
    assert found(directory, {"COMPOSE_PROJECT_NAME": "var"}, project_name="flag").name == "flag"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "there is no Compose file in"),
        ({"files": ("nope.yaml",)}, "cannot read the project from"),
        ({"files": ("ok.yaml",), "env_files": ("nope.env",)}, "cannot read the variables from"),
        ({"files": ("ok.yaml",), "project_name": "A b"}, "`A b` cannot be a project's name"),
        ({"files": ("latin.yaml",)}, "it is not UTF-8"),
        ({"files": (".",)}, "is a directory"),
    ],
)
def test_what_cannot_be_found_or_read_is_said(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    write(tmp_path, {"ok.yaml": FILE})
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ProjectError) as caught:
        found(tmp_path, **options)
    assert said in caught.value.message


def test_profiles_enable_services(tmp_path: Path) -> None:
    text = "services: {web: {image: i}, debug: {image: i, profiles: [debug, dev]}, job: {image: i, profiles: [job]}}"
    write(tmp_path, {"compose.yaml": text})

    assert list(found(tmp_path).services) == ["web"]
    assert list(found(tmp_path).disabled) == ["debug", "job"]
    assert list(found(tmp_path, profiles=("dev",)).services) == ["web", "debug"]
    assert list(found(tmp_path, {"COMPOSE_PROFILES": "debug, job"}).disabled) == []
    assert list(found(tmp_path, profiles=("*",)).disabled) == []
