from __future__ import annotations

import os
from pathlib import Path

import pytest

from composer.errors import ContainerError
from composer.volume import Volumes, anonymous_name


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path / "volumes")


def test_a_volume_is_made_when_it_is_created_and_keeps_its_data(volumes: Volumes, tmp_path: Path) -> None:
    assert not (tmp_path / "volumes").exists()
    path = volumes.create("app_data")
    (path / "file").write_text("x")

    assert path == volumes.path("app_data") == tmp_path / "volumes/app_data/_data"
    assert volumes.create("app_data") == path
    assert (path / "file").read_text() == "x"
    assert volumes.exists("app_data")


def test_volumes_are_listed_by_name_and_nothing_else_is(volumes: Volumes, tmp_path: Path) -> None:
    assert volumes.list() == ()
    for name in ("b", "a", "1.x_-Y"):
        volumes.create(name)
    (tmp_path / "volumes/stray").mkdir()
    (tmp_path / "volumes/.trash-1/_data").mkdir(parents=True)

    assert volumes.list() == ("1.x_-Y", "a", "b")


def test_a_removed_volume_is_gone_with_its_data_and_only_it(volumes: Volumes, tmp_path: Path) -> None:
    kept, path = volumes.create("kept"), volumes.create("gone")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("x")
    (path / "deep/er").mkdir(parents=True)
    (path / "link").symlink_to(tmp_path / "precious")
    (path / "deep/er").chmod(0)
    volumes.remove("gone")
    volumes.remove("gone")

    assert volumes.list() == ("kept",)
    assert kept.is_dir()
    assert sorted(entry.name for entry in (tmp_path / "volumes").iterdir()) == ["kept"]
    assert (tmp_path / "precious/file").exists()


def test_a_data_directory_that_became_a_symlink_is_not_followed(volumes: Volumes, tmp_path: Path) -> None:
    path = volumes.create("odd")
    (tmp_path / "precious").mkdir()
    path.rmdir()
    path.symlink_to(tmp_path / "precious")
    volumes.remove("odd")

    assert (tmp_path / "precious").is_dir()
    assert volumes.list() == ()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "-x", "_x", "a\n", "a b", "ä", "x" * 256]
)
def test_a_name_that_could_be_a_path_is_refused(volumes: Volumes, name: str) -> None:
    for operation in (volumes.create, volumes.path, volumes.remove, volumes.exists, volumes.size):
        with pytest.raises(ContainerError, match="as the name of a volume"):
            operation(name)


def test_the_size_counts_what_lies_on_the_disk_hardlinks_once(volumes: Volumes) -> None:
    path = volumes.create("data")
    (path / "dir").mkdir()
    (path / "dir/file").write_bytes(os.urandom(100_000))
    os.link(path / "dir/file", path / "again")
    (path / "hole").touch()
    os.truncate(path / "hole", 1 << 30)

    assert 100_000 <= volumes.size("data") <= 150_000
    assert volumes.size("missing") == 0


def test_what_an_interrupted_removal_left_is_swept(volumes: Volumes, tmp_path: Path) -> None:
    volumes.sweep()
    volumes.create("kept")
    (tmp_path / "volumes/.trash-1/_data/x").mkdir(parents=True)
    volumes.sweep()

    assert [entry.name for entry in (tmp_path / "volumes").iterdir()] == ["kept"]


def test_anonymous_volumes_have_names_like_dockers() -> None:
    first, second = anonymous_name(), anonymous_name()

    assert first != second
    assert len(first) == 64
    assert not first.strip("0123456789abcdef")
