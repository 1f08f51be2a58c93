import os
import stat
from pathlib import Path

import pytest

from composer.build.files import FilesError, Owner, make_directory
from tests.unit.build.files.trees import OWNERSHIP, look, make


def made(tmp_path: Path, path: str, base: Path, **options: Owner | int) -> Path | None:
    upper = tmp_path / "upper"
    upper.mkdir()
    return upper if make_directory(path, upper, [base], OWNERSHIP, **options) else None  # type: ignore[arg-type]


def test_a_directory_and_those_above_it_are_made(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"srv": None})

    upper = made(tmp_path, "/srv/a/b", base, owner=Owner(5, 6), latest=1000)

    assert upper is not None
    assert look(upper, owners=True) == {
        "srv": "drwxr-xr-x 0:0",
        "srv/a": "drwxr-xr-x 5:6",
        "srv/a/b": "drwxr-xr-x 5:6",
    }
    assert (upper / "srv/a/b").stat().st_mtime == 1000


def test_one_that_is_there_needs_nothing(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"real/x": None, "link": "-> real"})

    assert made(tmp_path, "/link/x", base) is None


def test_links_are_followed_inside(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"link": "-> /../../out"})

    upper = made(tmp_path, "/link/x", base)

    assert upper is not None
    assert sorted(look(upper)) == ["out", "out/x"]


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="`/etc/passwd`: is no directory"):
        made(tmp_path, "/etc/passwd", make(tmp_path / "base", {"etc/passwd": "root"}))


def test_the_root_keeps_the_attributes_of_the_root_below(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {})
    base.chmod(0o711)
    os.utime(base, (77, 77))

    upper = made(tmp_path, "/a", base)

    assert upper is not None
    assert (stat.S_IMODE(upper.stat().st_mode), upper.stat().st_mtime) == (0o711, 77)
