from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from composer.image.layer import unpack
from composer.image.ownership import Ownership
from composer.image.plain import copy_merged
from tests.make.image import directory, entry, hardlink, symlink, tar

BOTTOM = tar(
    entry("etc/passwd", b"bottom"),
    entry("gone/file", b"x"),
    entry("hidden/file", b"x"),
    entry("replaced/file", b"x"),
    entry("deep/er/file", b"deep"),
    entry("first", b"same", mode=0o4755),
    hardlink("deep/second", "first"),
    symlink("outside", "../../../etc/passwd"),
)
TOP = tar(
    entry("etc/passwd", b"top"),
    entry(".wh.gone"),
    entry("hidden/.wh..wh..opq"),
    entry("hidden/new", b"new"),
    entry("replaced", b"file now"),
    directory("deep", mode=0o711),
)


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, ...]:
    for name, data in (("top", TOP), ("bottom", BOTTOM)):
        unpack(io.BytesIO(data), tmp_path / name, Ownership.of_this_process())
    return tmp_path / "top", tmp_path / "bottom"


def listed(root: Path) -> dict[str, str]:
    found = sorted(path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(root)): "" if path.is_symlink() else path.read_text() for path in found}


def test_a_copy_has_what_the_layers_show_and_nothing_of_their_marks(layers: tuple[Path, ...], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()

    copy_merged(layers, copy)

    assert listed(copy) == {
        "deep/er/file": "deep",
        "deep/second": "same",
        "etc/passwd": "top",
        "first": "same",
        "hidden/new": "new",
        "outside": "",
        "replaced": "file now",
    }
    assert (copy / "outside").readlink() == Path("../../../etc/passwd")
    assert (copy / "first").samefile(copy / "deep/second")
    assert (copy / "first").stat().st_mode & 0o7777 == 0o4755
    assert (copy / "deep").stat().st_mode & 0o7777 == 0o711
    assert not any("overlay" in name for path in copy.rglob("*") for name in os.listxattr(path, follow_symlinks=False))
    (copy / "etc/passwd").write_text("changed")
    assert (layers[0] / "etc/passwd").read_text() == "top"


def test_a_copy_that_was_interrupted_is_done_again(layers: tuple[Path, ...], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "etc").mkdir(parents=True)
    (copy / "etc/passwd").write_text("half a fi")
    (copy / "first").symlink_to("elsewhere")

    copy_merged(layers, copy)
    copy_merged(layers, copy)

    assert (copy / "etc/passwd").read_text() == "top"
    assert not (copy / "first").is_symlink()
    assert len(listed(copy)) == 7
