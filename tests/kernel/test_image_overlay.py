"""Unpacked layers under the real overlay, as root and as root of a user namespace with a single id."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.make.image import directory, entry, hardlink, symlink, tar

pytestmark = pytest.mark.kernel

BOTTOM = tar(
    directory("dir"),
    entry("dir/lower", b"lower"),
    entry("file", b"lower"),
    directory("merged"),
    entry("merged/lower", b"lower"),
    directory("replaced"),
    entry("replaced/lower", b"lower"),
    directory("opaque"),
    entry("opaque/lower", b"lower"),
    entry("owned", b"x", uid=33, gid=33, mode=0o4755),
)
TOP = tar(
    entry(".wh.file"),
    entry(".wh.replaced"),
    directory("replaced"),
    entry("replaced/upper", b"upper"),
    entry("merged/upper", b"upper"),
    entry("opaque/.wh..wh..opq"),
    entry("opaque/upper", b"upper"),
    entry("dir/.wh.lower"),
    symlink("link", "merged/upper"),
    hardlink("hard", "merged/upper"),
)

UNPACK = """
import sys
from pathlib import Path
from composer.image.layer import unpack
from composer.image.ownership import Ownership
for name in ("bottom", "top"):
    with Path(name + ".tar").open("rb") as file:
        unpack(file, Path(name), Ownership.of_this_process())
"""

LOOK = """
mkdir upper work merged
mount -t overlay overlay -o "lowerdir=top:bottom,upperdir=upper,workdir=work$1" merged
cd merged
find . -mindepth 1 | sort
cat merged/lower link
stat -c '%u %a' owned
"""

SHOWN = """\
./dir
./hard
./link
./merged
./merged/lower
./merged/upper
./opaque
./opaque/upper
./owned
./replaced
./replaced/upper
lowerupper"""


def shown(place: Path, enter: list[str], options: str) -> str:
    """What the two layers look like when `enter` has unpacked and mounted them."""
    (place / "bottom.tar").write_bytes(BOTTOM)
    (place / "top.tar").write_bytes(TOP)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    script = f'"$PYTHON" -c "$UNPACK"\n{LOOK}'
    done = subprocess.run(
        [*enter, "sh", "-euc", script, "sh", options],
        cwd=place,
        env=environment | {"UNPACK": UNPACK, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def test_root_sees_layers_merged_as_the_specification_says(tmp_path: Path) -> None:
    assert shown(tmp_path, ["unshare", "--mount"], "") == f"{SHOWN}33 4755\n"


def test_a_single_id_sees_the_same_and_owns_everything(tmp_path: Path) -> None:
    assert shown(tmp_path, ["unshare", "--user", "--map-root-user", "--mount"], ",userxattr") == f"{SHOWN}0 755\n"


def test_an_ordinary_user_needs_no_privilege() -> None:
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    enter = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    enter += ["unshare", "--user", "--map-root-user", "--mount"]
    probe = ["sh", "-c", '"$0" -c "import composer.image.layer"', sys.executable]
    if subprocess.run([*enter, *probe], capture_output=True, check=False).returncode:
        pytest.skip("needs an interpreter that every user may run")
    place = Path("/tmp") / f"overlay-{os.getpid()}"  # pytest's own directories are root's alone
    place.mkdir()
    try:
        os.chown(place, 65534, 65534)
        assert shown(place, enter, ",userxattr") == f"{SHOWN}0 755\n"
    finally:
        shutil.rmtree(place)
