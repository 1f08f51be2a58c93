from pathlib import Path

import pytest

from composer.build.files import FilesError, Owner, Reason, needs_base, resolve_owner
from tests.unit.build.files.trees import make

PASSWD = "root:x:0:0::/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n"
GROUP = "root:x:0:\nweb:x:2000:app\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("55", Owner(55, 55)),
        ("55:66", Owner(55, 66)),
        ("app", Owner(1000, 1001)),
        ("app:web", Owner(1000, 2000)),
        ("app:7", Owner(1000, 7)),
        ("7:web", Owner(7, 2000)),
        (":web", Owner(0, 2000)),
        ("55:", Owner(55, 0)),
        ("app:", Owner(1000, 0)),
        ("nobody", Owner(0, 0, ("nobody",))),
        ("app:nobody", Owner(1000, 1001, ("nobody",))),
    ],
)
def test_names_are_those_of_the_layers_below(tmp_path: Path, text: str, expected: Owner) -> None:
    base = make(tmp_path / "base", {"etc/passwd": PASSWD, "etc/group": GROUP})

    assert resolve_owner(text, [base]) == expected


def test_the_topmost_layer_decides(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"etc/passwd": PASSWD})
    top = make(tmp_path / "top", {"etc/passwd": PASSWD.replace("1000", "5")})

    assert resolve_owner("app", [top, base]).uid == 5


def test_files_that_lead_out_or_are_none_are_not_read(tmp_path: Path) -> None:
    make(tmp_path / "etc", {"passwd": PASSWD})
    base = make(tmp_path / "base", {"etc": "-> ../etc"})

    assert resolve_owner("app", [base]).unknown == ("app",)
    assert resolve_owner("app", []).unknown == ("app",)


@pytest.mark.parametrize("text", ["", ":", "a:b:c", "99999999999", "1:99999999999999999999999"])
def test_what_cannot_be_an_owner_is_an_error(text: str) -> None:
    with pytest.raises(FilesError) as failure:
        resolve_owner(text, [])
    assert failure.value.reason is Reason.OWNER


@pytest.mark.parametrize(("text", "expected"), [("1", False), ("1:2", False), ("a", True), ("1:a", True)])
def test_only_names_need_the_layers_below(text: str, expected: bool) -> None:
    assert needs_base(text) is expected
