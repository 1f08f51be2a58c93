from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from composer.image.layer import unpack
from composer.image.ownership import Ownership
from composer.image.root import is_directory, read_file
from tests.make.image import directory, entry, symlink, tar

BOTTOM = tar(
    entry("etc/passwd", b"bottom"),
    entry("etc/group", b"group"),
    entry("gone/file", b"x"),
    entry("hidden/file", b"x"),
    entry("replaced/file", b"x"),
    entry("usr/bin/sh", b"shell"),
    entry("usr/share/doc", b"doc"),
    symlink("bin", "usr/bin"),
    symlink("loop", "loop"),
    symlink("up", "../../../etc"),
    symlink("root", "/"),
)
TOP = tar(
    entry("etc/passwd", b"top"),
    entry(".wh.gone"),
    entry("hidden/.wh..wh..opq"),
    entry("hidden/new", b"new"),
    entry("replaced", b"file now"),
    entry("usr/share/.wh.doc"),
    directory("usr/local"),
    symlink("tolower", "usr/bin/sh"),
)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    place = tmp_path_factory.mktemp("layers")
    for name, data in (("top", TOP), ("bottom", BOTTOM)):
        unpack(io.BytesIO(data), place / name, Ownership.of_this_process())
    return place / "top", place / "missing", place / "bottom"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/etc/passwd", b"top"),
        ("etc/passwd", b"top"),
        ("/etc/group", b"group"),
        ("/etc/../etc/./group", b"group"),
        ("/bin/sh", b"shell"),
        ("/tolower", b"shell"),
        ("/up/group", b"group"),
        ("/root/root/etc/group", b"group"),
        ("/../../etc/group", b"group"),
        ("/hidden/new", b"new"),
        ("/replaced", b"file now"),
        ("/gone/file", None),
        ("/hidden/file", None),
        ("/replaced/file", None),
        ("/usr/share/doc", None),
        ("/loop", None),
        ("/loop/x", None),
        ("/etc", None),
        ("/etc/passwd/x", None),
        ("/missing", None),
        ("/missing/../etc/group", None),
    ],
)
def test_files_are_found_as_overlay_would_show_them(layers: tuple[Path, ...], path: str, content: bytes | None) -> None:
    assert read_file(layers, path) == content


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/", True),
        ("/etc", True),
        ("/bin", True),
        ("/usr/local/", True),
        ("/hidden", True),
        ("/gone", False),
        ("/replaced", False),
        ("/etc/passwd", False),
        ("/nothing", False),
    ],
)
def test_directories_are_told_from_everything_else(layers: tuple[Path, ...], path: str, there: bool) -> None:
    assert is_directory(layers, path) is there


def test_no_more_is_read_than_was_asked_for(layers: tuple[Path, ...]) -> None:
    assert read_file(layers, "/etc/group", most=3) == b"gro"


def test_the_other_form_of_a_whiteout_hides_too(tmp_path: Path) -> None:

    (tmp_path / "low").mkdir()
    (tmp_path / "low/file").write_text("x")
    (tmp_path / "top").mkdir()
    (tmp_path / "top/file").touch()
    os.setxattr(tmp_path / "top", "user.overlay.opaque", b"x")
    os.setxattr(tmp_path / "top/file", "user.overlay.whiteout", b"y")

    assert read_file((tmp_path / "top", tmp_path / "low"), "/file") is None
