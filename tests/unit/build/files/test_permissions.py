import stat
import subprocess
from pathlib import Path

import pytest

from composer.build.files import FilesError, Reason, parse_permissions


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ("755", 0o100600, 0o755),
        ("0644", 0o100755, 0o644),
        ("4755", 0o100644, 0o4755),
        ("u=rwX,go=rX", 0o100600, 0o644),
        ("u=rwX,go=rX", 0o100700, 0o755),
        ("u=rwX,go=rX", 0o040700, 0o755),
        ("+x", 0o100644, 0o755),
        ("a+w", 0o100644, 0o666),
        ("go-rwx", 0o100755, 0o700),
        ("g=u", 0o100640, 0o660),
        ("o=g", 0o100751, 0o755),
        ("u+s", 0o100755, 0o4755),
        ("g+s", 0o040755, 0o2755),
        ("+t", 0o040777, 0o1777),
        ("u-s", 0o104755, 0o755),
        ("u=rw,g=r,o=", 0o100777, 0o640),
        ("u+x-w", 0o100644, 0o544),
        ("a=", 0o100777, 0o000),
    ],
)
def test_what_a_mode_makes_of_a_file(text: str, mode: int, expected: int) -> None:
    assert oct(parse_permissions(text).apply(mode)) == oct(expected)


@pytest.mark.parametrize(
    "text", ["u=rwX,go=rX", "a+w", "go-rwx", "g=u", "u+s", "ug+x", "u+x-w", "o=", "a=rX", "g+w,o-r"]
)
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o4711])
def test_symbolic_modes_are_those_of_chmod(tmp_path: Path, text: str, mode: int) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    subprocess.run(["chmod", text, str(file)], check=True)

    assert oct(parse_permissions(text).apply(stat.S_IFREG | mode)) == oct(stat.S_IMODE(file.stat().st_mode))


@pytest.mark.parametrize("text", ["", "888", "77777", "0o755", "u", "rwx", "u+q", "u=rw,", "x+u", "-1", "7 5"])
def test_what_is_no_mode_is_an_error(text: str) -> None:
    with pytest.raises(FilesError, match="is no mode") as failure:
        parse_permissions(text)
    assert failure.value.reason is Reason.MODE
