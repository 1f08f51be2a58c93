import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.keeper import inside


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root").mkdir()
    fd = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def path_of(fd: int) -> Path:
    path = Path(f"/proc/self/fd/{fd}").readlink()
    os.close(fd)
    return path


def test_missing_parents_are_made(root: int, tmp_path: Path) -> None:
    assert path_of(inside.make_directory(root, "/a/b/c", 0o700)) == tmp_path / "root/a/b/c"
    assert (tmp_path / "root/a/b/c").stat().st_mode & 0o777 == 0o700
    assert path_of(inside.make_file(root, "/a/x/file")) == tmp_path / "root/a/x/file"


@pytest.mark.parametrize("link", ["/", "/..", "../../..", "../../../../.."])
def test_a_link_to_the_outside_leads_to_the_root(root: int, tmp_path: Path, link: str) -> None:
    (tmp_path / "root/out").symlink_to(link)
    (tmp_path / "root/climb").symlink_to(f"{link}/{tmp_path}")

    assert path_of(inside.make_directory(root, "/out/made")) == tmp_path / "root/made"
    assert path_of(inside.make_file(root, "/climb/file")).is_relative_to(tmp_path / "root")
    assert not (tmp_path / "file").exists()


def test_a_dangling_link_is_followed_and_its_target_made(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/link").symlink_to("other/place")

    assert path_of(inside.make_directory(root, "/link")) == tmp_path / "root/other/place"


def test_links_in_a_circle_are_an_error(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/a").symlink_to("b")
    (tmp_path / "root/b").symlink_to("a")

    with pytest.raises(OSError) as caught:
        inside.make_file(root, "/a")
    assert caught.value.errno == errno.ELOOP


def test_a_file_in_the_way_is_an_error(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/file").touch()

    with pytest.raises(NotADirectoryError):
        inside.make_directory(root, "/file/below")
