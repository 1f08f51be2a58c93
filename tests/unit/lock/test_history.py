from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from composer.errors import ProjectError, UsageError
from composer.lock.history import lock_at
from composer.lock.model import Lock
from composer.lock.writing import save, write
from tests.unit.lock.examples import image, whole


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(directory), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock in a repository, committed twice, in a directory of its own."""
    path = tmp_path / "shop/compose.lock"
    path.parent.mkdir()
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "nothing")
    for lock in (Lock({"redis:7": image("e", "f")}), whole()):
        save(write(lock), path)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "lock")
    return path


def test_the_lock_of_a_revision_is_read(path: Path) -> None:
    assert lock_at(path, "HEAD") == whole()
    assert lock_at(path, "HEAD~1").images["redis:7"] == image("e", "f")
    assert lock_at(path, "HEAD~2") == Lock()


@pytest.mark.parametrize("revision", ["nonsense", "--output=/tmp/x", "HEAD~9", "HEAD:shop", ""])
def test_a_revision_that_is_none_is_told(path: Path, revision: str) -> None:
    with pytest.raises(UsageError, match="revision"):
        lock_at(path, revision)


def test_without_a_repository_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in no git repository"):
        lock_at(tmp_path / "compose.lock", "HEAD")


def test_a_conflict_that_was_committed_is_told_with_its_revision(path: Path) -> None:
    path.write_text("<<<<<<< HEAD\n")
    git(path.parent, "commit", "-qam", "oops")

    with pytest.raises(ProjectError) as refused:
        lock_at(path, "HEAD")

    assert str(refused.value.location) == "HEAD:compose.lock:1:1"
