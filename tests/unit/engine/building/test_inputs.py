from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.make.image import import_busybox
from tests.unit.engine.building.making import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_only_what_some_instruction_of_the_target_takes_counts(bench: Bench) -> None:
    bench.write(
        Dockerfile="FROM scratch AS dev\nCOPY src /src\nRUN --mount=type=bind,source=lock,target=/l true\n"
        "FROM scratch AS prod\nCOPY other_txt /\n".replace("other_txt", "other.txt"),
        src__a_py="a",
        src__b_py="b",
        lock="l",
        other_txt="o",
        README_md="r",
    )

    assert sorted(bench.files(target="dev")) == ["lock", "src", "src/a.py", "src/b.py"]
    assert sorted(bench.files(target="prod")) == ["other.txt"]


def test_what_is_ignored_does_not_count(bench: Bench) -> None:
    bench.write(Dockerfile="FROM scratch\nCOPY . /\n", a="a", b="b", c="c")
    (bench.context / ".dockerignore").write_text("b\n.dockerignore\nDockerfile\n")
    assert sorted(bench.files()) == ["a", "c"]

    (bench.context / "Dockerfile.dockerignore").write_text("**\n!b\n")
    assert sorted(bench.files()) == ["b"]


def test_a_change_of_content_or_permissions_shows_and_one_of_times_does_not(bench: Bench) -> None:
    bench.write(Dockerfile="FROM scratch\nCOPY a /\n", a="one")
    before = bench.files()

    os.utime(bench.context / "a", (1, 1))
    assert bench.files() == before
    (bench.context / "a").chmod(0o755)
    assert bench.files() != before
    (bench.context / "a").chmod(0o644)
    bench.write(a="two")
    assert bench.files() != before


def test_what_a_variable_names_may_be_anything(bench: Bench) -> None:
    bench.write(Dockerfile="FROM scratch\nARG WHAT=a\nCOPY $WHAT /\n", a="a", b="b")

    assert sorted(bench.files()) == ["Dockerfile", "a", "b"]


def test_what_is_missing_is_known_as_missing(bench: Bench) -> None:
    bench.write(Dockerfile="FROM scratch\nCOPY a /\n")
    before = bench.files()
    bench.write(a="a")

    assert list(before) == ["a"]
    assert before != bench.files()


def test_other_contexts_count_under_their_names(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/x").write_text("x")
    bench.write(Dockerfile="FROM scratch\nCOPY --from=more x /\nCOPY --from=far y /\n")

    found = bench.files(additional_contexts={"more": str(tmp_path / "more"), "far": "https://example.com/a.git"})
    assert list(found) == ["more: x"]


def test_base_images_count_by_what_is_here(bench: Bench, tmp_path: Path) -> None:
    bench.write(Dockerfile="ARG V=busybox\nFROM $V AS a\nFROM a\nCOPY --from=other:1 /x /\n")

    assert bench.reader.images(*bench.errand()) == {"busybox": "", "other:1": ""}
    image = import_busybox(bench.images, tmp_path)
    assert bench.reader.images(*bench.errand()) == {"busybox": image.id, "other:1": ""}
    operation, errand = bench.errand(additional_contexts={"b": "service:base", "c": "docker-image://busybox"})
    assert bench.reader.images(operation, errand)["the image of base"] == image.id


def test_the_dockerfile_counts_wherever_it_stands(bench: Bench) -> None:
    def digest(**build: Any) -> object:
        found = bench.reader.read(*bench.errand(**build), "salt")
        assert found is not None
        return found.settings

    bench.write(Dockerfile="FROM scratch\n", dev_Dockerfile="FROM scratch\nENV A=b\n")
    before = digest()
    assert digest(dockerfile="dev.Dockerfile") != before
    assert digest(dockerfile=None, dockerfile_inline="FROM scratch") != before
    bench.write(Dockerfile="FROM scratch\nENV A=b\n")
    assert digest() != before


def test_a_file_that_is_wrong_or_gone_is_left_to_the_build(bench: Bench) -> None:
    assert bench.files() == {}
    bench.write(Dockerfile="FRUM scratch\n")
    assert bench.files() == {}
    bench.write(Dockerfile="FROM scratch AS a\n")
    assert bench.files(target="b") == {}


def test_a_project_whose_directory_is_elsewhere_says_nothing(bench: Bench) -> None:
    assert bench.reader.read(*bench.errand(context="/does/not/exist"), "salt") is None
