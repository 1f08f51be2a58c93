"""Copying files for a build where the disk is full, and as root of a user namespace with a single id."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.build.files import ContentCache, FilesError, Reason, copy, make_directory, open_context, select
from composer.image.ownership import Ownership
from tests.unit.build.files.test_unpack import tar
from tests.unit.build.files.trees import make

pytestmark = pytest.mark.kernel


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """An upper directory on a disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=40", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("what", ["large", "many", "archive", "deep"])
def test_a_full_disk_is_said_so(tmp_path: Path, small: Path, what: str) -> None:
    context = make(tmp_path / "context", {"large": os.urandom(1 << 18), "archive": tar(("big", "x" * 200_000))})
    make(context, {f"many/{number}": "x" for number in range(60)})
    make(context, {"/".join(["deep"] + ["d"] * 60): None})
    contents = ContentCache(tmp_path / "contents.db")
    selection = select(open_context(context, contents), [what], unpack=True)

    with pytest.raises(FilesError, match="no space left on the device") as failure:
        copy([selection], small, [], "/app/", Ownership.of_this_process())
    assert failure.value.reason is Reason.NO_SPACE
    assert "COMPOSER_DATA" in failure.value.hint
    contents.close()


def test_a_cache_on_a_full_disk_does_no_harm(tmp_path: Path, small: Path) -> None:
    context = make(tmp_path / "context", {f"many/{number}": "x" for number in range(2000)})
    contents = ContentCache(small / "contents.db")

    assert (
        select(open_context(context, contents), ["."]).digest == select(open_context(context, contents), ["."]).digest
    )
    contents.close()


def test_a_working_directory_on_a_full_disk(small: Path) -> None:
    with pytest.raises(FilesError, match="no space left"):
        make_directory("/" + "/".join("abcdefghijklmnopqrstuvwxyz" * 2), small, [], Ownership.of_this_process())


INSIDE = """
import os, sys
from pathlib import Path
from composer.build.files import *
from composer.image.ownership import Ownership
here = Path(sys.argv[1])
ownership = Ownership.of_this_process()
contents = ContentCache(here / "contents.db")
selection = select(open_context(here / "context", contents), ["."], unpack=True)
archive = select(open_context(here / "context", contents), ["t.tar"], unpack=True)
copy([selection, archive], here / "upper", [here / "base"], "/app", ownership, CopyOptions(owner=Owner(1000, 1000)))
assert ownership.overlay_attributes == "user.overlay."
for name in ("suid", "pipe", "null", "archived", "x/new"):
    status = (here / "upper/app" / name).lstat()
    print(name, f"{status.st_uid}:{status.st_gid}", oct(status.st_mode))
print(os.listxattr(here / "upper/app/x"))
"""


def test_as_root_of_a_namespace_with_a_single_id(tmp_path: Path) -> None:
    archive = tar(("archived", "a", {"uid": 33, "gid": 33, "mode": 0o4755}), ("x", "f"), ("x", None), ("x/new", "n"))
    context = make(tmp_path / "context", {"suid": "s", "t.tar": archive})
    (context / "suid").chmod(0o4755)
    os.mkfifo(context / "pipe")
    os.mknod(context / "null", 0o20666, os.makedev(1, 3))
    make(tmp_path / "base", {"app/x/old": "old"})
    (tmp_path / "upper").mkdir()

    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", INSIDE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "suid 0:0 0o100755",  # nobody becomes 1000, so nobody becomes it by running the file either
        "pipe 0:0 0o10644",
        "null 0:0 0o100644",
        "archived 0:0 0o100755",
        "x/new 0:0 0o100644",
        "['user.overlay.opaque']",
    ]


@pytest.fixture(params=["xfs", "btrfs"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system that can let files share their blocks."""
    kind = str(request.param)
    if not shutil.which(f"mkfs.{kind}"):
        pytest.skip(f"needs mkfs.{kind}")
    image, disk = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", image], check=True)
    disk.mkdir()
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_copies_share_their_blocks_where_the_file_system_can(sharing: Path, tmp_path: Path) -> None:
    large, upper = os.urandom(64 << 20), sharing / "upper"
    context = make(sharing / "context", {"large": large, "small": "small"})
    with (context / "sparse").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(4 << 20)
        file.write(b"in the middle")
    upper.mkdir()
    os.sync()
    contents = ContentCache(tmp_path / "contents.db")
    before = os.statvfs(sharing).f_bavail

    copy([select(open_context(context, contents), ["."])], upper, [], "/", Ownership.of_this_process())

    os.sync()
    taken = (before - os.statvfs(sharing).f_bavail) * os.statvfs(sharing).f_bsize
    assert taken < 16 << 20
    for name in ("large", "small", "sparse"):
        assert (upper / name).read_bytes() == (context / name).read_bytes()
    # What is on another file system is copied as ever.
    elsewhere = tmp_path / "upper"
    elsewhere.mkdir()
    copy([select(open_context(context, contents), ["large"])], elsewhere, [], "/", Ownership.of_this_process())
    assert (elsewhere / "large").read_bytes() == large
    contents.close()
