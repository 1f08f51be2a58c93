import os
import shutil
import subprocess
from pathlib import Path

import pytest

from composer.ignore.git import GitIgnores


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def ignored(top: Path, path: str, *, directory: bool = False) -> bool:
    return GitIgnores(str(top)).matches(str(top / path), directory=directory)


CASES = [
    ("*.pyc", "a.pyc", True),
    ("*.pyc", "deep/down/a.pyc", True),
    ("/build", "build/x", True),
    ("/build", "sub/build/x", False),
    ("build/", "build", False),
    ("build/", "build/x", True),
    ("doc/*.txt", "doc/a.txt", True),
    ("doc/*.txt", "doc/deep/a.txt", False),
    ("doc/**/*.txt", "doc/deep/a.txt", True),
    ("**/logs", "a/b/logs/x", True),
    ("a/**", "a/x/y", True),
    ("!a.txt\n*.txt", "a.txt", True),
    ("*.txt\n!a.txt", "a.txt", False),
    ("secret/\n!secret/a", "secret/a", True),
    (r"\#name", "#name", True),
    ("# comment", "# comment", False),
    ("name ", "name", True),
    ("[a-c].x", "b.x", True),
    ("[!a-c].x", "b.x", False),
    ("a?c", "a/c", False),
]


@pytest.mark.parametrize(("text", "path", "expected"), CASES)
def test_a_pattern_ignores_what_git_ignores(work_tree: Path, text: str, path: str, expected: bool) -> None:
    (work_tree / ".gitignore").write_text(text + "\n")

    assert ignored(work_tree, path) is expected


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
@pytest.mark.parametrize(("text", "path", "expected"), CASES)
def test_git_itself_says_so(tmp_path: Path, text: str, path: str, expected: bool) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text(text + "\n")
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("")

    answer = subprocess.run(["git", "check-ignore", "-q", path], cwd=tmp_path, check=False)

    assert (answer.returncode == 0) is expected


def test_a_file_further_down_has_the_last_word(work_tree: Path) -> None:
    (work_tree / "sub").mkdir()
    (work_tree / ".gitignore").write_text("*.log\n")
    (work_tree / "sub/.gitignore").write_text("!keep.log\n")

    assert ignored(work_tree, "keep.log")
    assert not ignored(work_tree, "sub/keep.log")
    assert ignored(work_tree, "sub/other.log")


def test_outside_of_a_work_tree_nothing_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*\n")

    assert not ignored(tmp_path, "a")


def test_who_has_read_a_file_knows_when_it_is_another_one(work_tree: Path) -> None:
    (work_tree / "d").mkdir()
    (work_tree / ".gitignore").write_text("*.o\n")
    ignores = GitIgnores(str(work_tree / "d"))
    assert ignores.matches(str(work_tree / "d/x.o"), directory=False)
    assert not ignores.is_outdated()

    (work_tree / "d/.gitignore").write_text("!x.o\n")
    assert ignores.is_outdated()
    assert ignores == GitIgnores(str(work_tree))


def test_the_files_above_a_path_are_those_up_to_the_work_tree(work_tree: Path) -> None:
    path = f"{work_tree}/a/b"

    assert GitIgnores(path).files_above(path) == [f"{work_tree}/a/.gitignore", f"{work_tree}/.gitignore"]


def test_what_is_no_file_is_not_read(work_tree: Path) -> None:
    os.mkfifo(work_tree / ".gitignore")

    assert not GitIgnores(str(work_tree)).matches(str(work_tree / "a"), directory=False)
