from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from composer.errors import ContainerError
from composer.volume import prepare_bind


def test_a_source_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")

    for name in ("", "file", "link"):
        assert prepare_bind(f"{tmp_path}/{name}", create_host_path=False) == tmp_path / name


def test_a_missing_source_is_made_with_its_parents(tmp_path: Path) -> None:
    path = prepare_bind(f"{tmp_path}/a/b/c", create_host_path=True)

    assert path.is_dir()
    assert prepare_bind(str(path), create_host_path=True) == path


def test_what_is_made_belongs_to_the_owner_of_the_nearest_parent(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(tmp_path, 1000, 1001)
    prepare_bind(f"{tmp_path}/a/b", create_host_path=True)

    for name in ("a", "a/b"):
        status = (tmp_path / name).stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1000, 1001, 0o755)


def test_a_missing_source_is_an_error_where_it_must_not_be_made(tmp_path: Path) -> None:
    with pytest.raises(ContainerError) as caught:
        prepare_bind(f"{tmp_path}/missing", create_host_path=False)

    assert caught.value.message == f"cannot bind `{tmp_path}/missing`: no such file or directory"
    assert "create_host_path" in caught.value.hint
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(
    ("source", "why"), [("file/below", "not a directory"), ("dangling", "is a symlink to `nowhere`")]
)
def test_a_source_that_cannot_be_made_is_an_error(tmp_path: Path, source: str, why: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")

    with pytest.raises(ContainerError, match=why):
        prepare_bind(f"{tmp_path}/{source}", create_host_path=True)


def test_a_relative_source_is_an_error() -> None:
    with pytest.raises(ContainerError, match="not absolute"):
        prepare_bind("data", create_host_path=True)
