from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from composer.image.layer import unpack
from composer.image.ownership import Ownership
from composer.image.writer import TreeArchive


def archive(path: Path) -> bytes:
    source = TreeArchive(path)
    return b"".join(iter(lambda: source.read(1 << 20), b""))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with one of everything an archive can hold."""
    root = tmp_path / "tree"
    (root / "a/b").mkdir(parents=True)
    (root / "a/file").write_bytes(b"x" * 1000)
    (root / "a/block").write_bytes(b"y" * 1024)
    (root / "empty").touch()
    (root / ("long" * 40)).write_text("long name")
    (root / "ümlaut").write_text("é")
    (root / "link").symlink_to("a/file")
    (root / "far").symlink_to("t" * 200)
    os.link(root / "a/file", root / "a/b/hard")
    os.mkfifo(root / "pipe", 0o600)
    (root / "old").touch()
    os.utime(root / "old", ns=(0, -1_500_000_000))
    os.utime(root / "empty", ns=(0, 1_600_000_000_123_456_789))
    os.setxattr(root / "empty", "user.kind", b"good")
    (root / "a").chmod(0o2751)
    return root


def described(path: Path) -> dict[str, object]:
    return {
        str(entry.relative_to(path)): (
            entry.lstat().st_mode,
            entry.lstat().st_uid,
            entry.lstat().st_mtime_ns,
            entry.lstat().st_nlink,
            entry.readlink() if entry.is_symlink() else entry.read_bytes() if entry.is_file() else b"",
            [] if entry.is_symlink() or entry.is_fifo() else os.listxattr(entry),
        )
        for entry in sorted(path.rglob("*"))
    }


def test_a_tree_comes_out_of_its_archive_as_it_was(tree: Path, tmp_path: Path) -> None:
    unpack(io.BytesIO(archive(tree)), tmp_path / "copy", Ownership.of_this_process())

    assert described(tmp_path / "copy") == described(tree)
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == stat.S_IMODE(tree.stat().st_mode)


def test_other_tools_read_the_archive(tree: Path, tmp_path: Path) -> None:
    data = archive(tree)
    with tarfile.open(fileobj=io.BytesIO(data)) as reader:
        names = reader.getnames()

    assert names == [".", *sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))]
    assert subprocess.run(["tar", "-tf", "-"], input=data, capture_output=True, check=True).stderr == b""


def test_the_same_tree_gives_the_same_archive(tree: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", tree, tmp_path / "again"], check=True)

    assert archive(tree) == archive(tmp_path / "again")


def test_large_numbers_and_owners_survive(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    os.chown(tmp_path / "tree/file", 3_000_000_000, 2_097_152)
    unpack(io.BytesIO(archive(tmp_path / "tree")), tmp_path / "copy", Ownership())

    status = (tmp_path / "copy/file").stat()
    assert (status.st_uid, status.st_gid) == (3_000_000_000, 2_097_152)


def test_sockets_stay_out(tmp_path: Path) -> None:
    root = Path("/tmp") / f"writer-{os.getpid()}"  # a socket's path must be short
    root.mkdir()
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(root / "socket"))
            data = archive(root)
    finally:
        shutil.rmtree(root)
    with tarfile.open(fileobj=io.BytesIO(data)) as reader:
        assert reader.getnames() == ["."]


def test_a_tree_that_is_too_deep_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * 300)).mkdir(parents=True)

    with pytest.raises(OSError, match="nested too deep"):
        archive(tmp_path)
