from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from composer.image.removal import delete_tree, discard, empty_trash
from composer.image.staging import staging, sweep


def listed(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_tree_is_deleted_with_everything_in_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_text("x")
    (tree / b"\xff".decode(errors="surrogateescape")).write_text("x")
    os.mkfifo(tree / "a/pipe")
    discard(tree)

    assert listed(tmp_path) == []


def test_symlinks_are_deleted_never_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "kept")
    (tmp_path / "top").symlink_to(tmp_path / "kept")
    discard(tmp_path / "tree")
    discard(tmp_path / "top")

    assert listed(tmp_path) == ["kept"]
    assert listed(tmp_path / "kept") == ["file"]


def test_what_somebody_still_writes_is_deleted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree/a").mkdir(parents=True)
    inside = os.open(tmp_path / "tree/a", os.O_PATH)
    rmdir, writes = os.rmdir, iter(range(3))

    def rmdir_of_what_was_just_written_to(name: str, *, dir_fd: int | None = None) -> None:
        for number in islice(writes, 1):
            os.close(os.open(str(number), os.O_CREAT, 0o600, dir_fd=inside))
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", rmdir_of_what_was_just_written_to)
    try:
        discard(tmp_path / "tree")
    finally:
        os.close(inside)

    assert listed(tmp_path) == []


def test_nothing_and_files_are_fine(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    discard(tmp_path / "missing")
    delete_tree(tmp_path / "missing")
    discard(tmp_path / "file")

    assert listed(tmp_path) == []


def test_a_tree_deeper_than_any_path_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    here = os.open(tmp_path / "tree", os.O_RDONLY)
    for _ in range(3000):  # beyond PATH_MAX, the recursion limit and the usual number of descriptors
        os.mkdir("directory", dir_fd=here)
        below = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    discard(tmp_path / "tree")

    assert listed(tmp_path) == []


def test_directories_without_permissions_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "tree/a/b").mkdir(parents=True)
    (tmp_path / "tree/a/b").chmod(0)
    (tmp_path / "tree/a").chmod(0)
    (tmp_path / "tree").chmod(0o500)
    discard(tmp_path / "tree")

    assert listed(tmp_path) == []


def test_trash_of_a_crash_is_emptied(tmp_path: Path) -> None:
    (tmp_path / ".trash-0123/a").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    empty_trash(tmp_path)

    assert listed(tmp_path) == ["kept"]


def test_what_is_staged_is_gone_at_the_end_unless_it_was_moved(tmp_path: Path) -> None:
    with staging(tmp_path / "store") as directory:
        (directory / "kept").write_text("x")
        (directory / "lost").write_text("x")
        (directory / "kept").rename(tmp_path / "store/kept")

    assert listed(tmp_path / "store") == ["kept"]


def test_only_what_nobody_is_staging_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".staging-dead/half").mkdir(parents=True)
    with staging(tmp_path) as directory:
        (directory / "file").write_text("x")
        sweep(tmp_path)

        assert listed(tmp_path) == [directory.name]
        assert (directory / "file").exists()
