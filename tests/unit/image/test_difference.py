from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from composer.image.difference import Difference, first_difference


def tree(path: Path) -> Path:
    (path / "a/b").mkdir(parents=True)
    (path / "a/b/file").write_text("text")
    (path / "a/link").symlink_to("b")
    (path / "z").write_text("last")
    for each in sorted(path.rglob("*"), reverse=True):
        os.utime(each, (1000, 1000), follow_symlinks=False)
    os.utime(path, (1000, 1000))
    return path


def replace_link(root: Path) -> None:
    (root / "a/link").unlink()
    (root / "a/link").symlink_to("c")


def test_trees_that_are_alike_do_not_differ(tmp_path: Path) -> None:
    assert first_difference(tree(tmp_path / "1"), tree(tmp_path / "2")) is None


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        (lambda root: (root / "a/b/file").write_text("TEXT"), "a/b/file", "content"),
        (lambda root: (root / "a/b/file").write_text("longer text"), "a/b/file", "content"),
        (lambda root: (root / "a/b/file").chmod(0o600), "a/b/file", "permissions"),
        (lambda root: (root / "a/b/new").write_text(""), "a/b/new", "is only in the second"),
        (lambda root: (root / "z").unlink(), "z", "is only in the first"),
        (replace_link, "a/link", "link target"),
        (lambda root: os.utime(root / "a/b/file", (2000, 2000)), "a/b/file", "modification time"),
    ],
)
def test_the_first_difference_is_named(tmp_path: Path, change: Callable[[Path], object], path: str, what: str) -> None:
    one, other = tree(tmp_path / "1"), tree(tmp_path / "2")
    change(other)

    assert first_difference(one, other) == Difference(path, what)


def test_a_difference_in_content_goes_before_one_in_times(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "1"), tree(tmp_path / "2")
    os.utime(other / "a", (2000, 2000))
    (other / "z").write_text("LAST")

    assert first_difference(one, other) == Difference("z", "content")


def test_a_link_to_a_directory_is_not_followed(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "1"), tree(tmp_path / "2")
    (other / "a/link").unlink()
    (other / "a/link").mkdir()

    assert first_difference(one, other) == Difference("a/link", "kind")
