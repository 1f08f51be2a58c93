"""What is found to have changed in a copy is what overlay itself would have written to its upper directory."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from composer.image.ownership import Ownership
from composer.image.plain import copy_merged
from composer.image.upper import harvest, photograph

SCRIPTS = {
    "nothing": "cat file > /dev/null",
    "new files": "echo new > new; mkdir -p deep/er/est; echo x > deep/er/est/file; mkfifo fifo; ln -s nowhere link2",
    "a changed file": "echo more >> dir/inner/file",
    "a changed file of the same size and time": "touch -r file keep; printf FILE > file; touch -r keep file; rm keep",
    "attributes": "chmod 700 dir; chown 12:34 dir/inner/file; chmod 4755 program",
    "removed": "rm file; rm -r dir/inner; rm link",
    "removed and made again": "rm -r dir; mkdir dir; echo new > dir/new; rm program; mkdir program; rmdir empty; touch empty",
    "made and removed again": "echo x > dir/inner/gone; rm dir/inner/gone; mkdir away; rmdir away",
    "moved": "mv file moved; mv dir/inner/file dir/elsewhere",
    "several names": "ln program again; echo >> twin1; ln new-name-of-nothing x 2>/dev/null; true",
    "the root itself": "chmod 711 .",
    "extended attributes": "setfattr -n user.kind -v odd dir/inner 2>/dev/null || true",
}


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    lower = tmp_path / "lower"
    (lower / "dir/inner").mkdir(parents=True)
    (lower / "empty").mkdir()
    (lower / "dir/inner/file").write_text("inner")
    (lower / "dir/other").write_text("other")
    (lower / "file").write_text("file")
    (lower / "program").write_text("program")
    (lower / "program").chmod(0o755)
    (lower / "twin1").write_text("twin")
    (lower / "twin2").hardlink_to(lower / "twin1")
    (lower / "link").symlink_to("file")
    lower.chmod(0o755)
    return lower


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_the_changes_of_a_copy_are_those_of_an_overlay(lower: Path, tmp_path: Path, script: str) -> None:
    for name in ("upper", "work", "merged", "copy", "harvested"):
        (tmp_path / name).mkdir(mode=0o755)
    mounted = tmp_path / "merged"
    options = f"lowerdir={lower},upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, mounted], check=True)
    try:
        subprocess.run(["sh", "-c", script], cwd=mounted, check=True)
    finally:
        subprocess.run(["umount", mounted], check=True)
    copy = tmp_path / "copy"
    copy_merged([lower], copy)
    before = photograph(copy)
    subprocess.run(["sh", "-c", script], cwd=copy, check=True)

    harvest(copy, before, tmp_path / "harvested", Ownership())

    # The second name of a file that was changed by its first is another file to overlay, the same one to a copy.
    theirs, ours = shown(tmp_path / "upper"), shown(tmp_path / "harvested")
    ours.pop("twin2", None)
    if "made again" not in name_of(script):  # a directory that got the inode of the one before is filled with whiteouts
        assert ours == theirs
    results = []
    for upper in ("upper", "harvested"):
        (tmp_path / f"{upper}-result").mkdir()
        copy_merged([tmp_path / upper, lower], tmp_path / f"{upper}-result")
        results.append({path: what for path, what in shown(tmp_path / f"{upper}-result").items() if path != "twin2"})
    assert results[0] == results[1]


def name_of(script: str) -> str:
    return next(name for name, each in SCRIPTS.items() if each == script)


def shown(tree: Path) -> dict[str, str]:
    found = {}
    for parent, directories, files in os.walk(tree):
        for path in (Path(parent, name) for name in (*directories, *files)):
            status = path.lstat()
            what = f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
            if stat.S_ISREG(status.st_mode):
                what += f" {path.read_text()!r}"
            elif stat.S_ISLNK(status.st_mode):
                what += f" -> {path.readlink()}"
            elif stat.S_ISCHR(status.st_mode):
                what = f"whiteout {status.st_rdev}"  # its permissions mean nothing
            marks = [
                name for name in os.listxattr(path, follow_symlinks=False) if name.split(".")[-1] in ("opaque", "kind")
            ]
            found[str(path.relative_to(tree))] = " ".join([what, *marks])
    return found
