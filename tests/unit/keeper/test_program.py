import errno
from pathlib import Path

import pytest

from composer.keeper.program import find_program


def make(path: Path, mode: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


def test_the_first_directory_that_has_it_wins(tmp_path: Path) -> None:
    make(tmp_path / "b/tool", 0o755)
    first = make(tmp_path / "a/tool", 0o755)

    assert find_program("tool", {"PATH": f"/nowhere:{tmp_path}/a:{tmp_path}/b"}) == first


def test_a_file_that_may_not_be_executed_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path / "a/tool", 0o644)
    (tmp_path / "b/tool").mkdir(parents=True)
    second = make(tmp_path / "c/tool", 0o755)

    assert find_program("tool", {"PATH": f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c"}) == second


def test_found_but_not_executable_is_told_apart_from_not_found(tmp_path: Path) -> None:
    make(tmp_path / "a/tool", 0o644)

    with pytest.raises(OSError) as refused:
        find_program("tool", {"PATH": f"{tmp_path}/a"})
    with pytest.raises(OSError) as missing:
        find_program("other", {"PATH": f"{tmp_path}/a"})

    assert (refused.value.errno, missing.value.errno) == (errno.EACCES, errno.ENOENT)


def test_a_name_with_a_slash_is_taken_as_it_is() -> None:
    assert find_program("./run", {"PATH": "/bin"}) == "./run"


def test_without_a_path_the_usual_directories_are_searched() -> None:
    assert find_program("sh", {}).endswith("/bin/sh")
