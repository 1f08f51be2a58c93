"""Any tree comes out of the writer and the reader as it was, and GNU tar reads what the writer wrote."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from composer.image.faithful import first_unlike
from composer.image.layer import unpack
from composer.image.ownership import Ownership
from composer.image.writer import TreeArchive

_names = st.binary(min_size=1, max_size=120).filter(
    lambda name: not set(name) & {0, ord("/")} and name not in (b".", b"..") and not name.startswith(b".wh.")
)
_times = st.integers(-(2**31), 2**33).map(lambda seconds: seconds * 1_000_000_000 + 123_456_789)
_modes = st.integers(0, 0o7777)
_files = st.tuples(st.just("file"), st.binary(max_size=2000), _modes, _times)
_links = st.tuples(st.just("link"), st.binary(min_size=1, max_size=150).filter(lambda text: 0 not in text))
_nodes = st.recursive(
    _files | _links | st.tuples(st.just("fifo"), _modes),
    lambda children: st.tuples(
        st.just("directory"),
        st.dictionaries(_names, children, max_size=4),
        _modes.map(lambda mode: mode | 0o700),
        _times,
    ),
    max_leaves=12,
)
_trees = st.dictionaries(_names, _nodes, max_size=5)


def make(directory: bytes, tree: Mapping[bytes, tuple]) -> None:  # type: ignore[type-arg]
    """Make `tree` below `directory`."""
    for name, node in tree.items():
        path = os.path.join(directory, name)  # noqa: PTH118 - names are bytes
        match node:
            case ("file", content, mode, time):
                with open(path, "wb") as file:  # noqa: PTH123
                    file.write(content)
                os.chmod(path, mode)  # noqa: PTH101
                os.utime(path, ns=(time, time))
            case ("link", target):
                os.symlink(target, path)  # noqa: PTH211
            case ("fifo", mode):
                os.mkfifo(path)
                os.chmod(path, mode)  # noqa: PTH101
            case ("directory", children, mode, time):
                os.mkdir(path)  # noqa: PTH102
                make(path, children)
                os.chmod(path, mode)  # noqa: PTH101
                os.utime(path, ns=(time, time))
            case _:
                raise AssertionError(f"no node: {node}")


def seen(directory: Path, *, times: bool = True) -> dict[bytes, tuple[object, ...]]:
    """What there is below `directory`, by name: kind, mode, owner, time and content."""
    root = os.fsencode(directory)
    found: dict[bytes, tuple[object, ...]] = {}
    for parent, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = os.path.join(parent, name)  # noqa: PTH118
            status = os.lstat(path)
            content = b""
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)  # noqa: PTH115
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:  # noqa: PTH123
                    content = file.read()
            time = status.st_mtime_ns if times else status.st_mtime_ns // 1_000_000_000
            found[os.path.relpath(path, root)] = (status.st_mode, status.st_uid, status.st_gid, time, content)
    return found


@settings(max_examples=60, deadline=None)
@given(_trees)
def test_a_tree_is_the_same_after_writing_and_reading(tree: dict[bytes, tuple]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "source"), Path(scratch, "target")
        source.mkdir()
        make(os.fsencode(source), tree)

        unpacked = unpack(TreeArchive(source), target, Ownership.of_this_process())
        again = unpack(TreeArchive(target), Path(scratch, "again"), Ownership.of_this_process())

        assert seen(target) == seen(source)
        assert first_unlike(TreeArchive(source), target) == ""
        assert again.content.diff_id == unpacked.content.diff_id


@settings(max_examples=20, deadline=None)
@given(_trees)
def test_gnu_tar_reads_what_was_written(tree: dict[bytes, tuple]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "source"), Path(scratch, "target")
        source.mkdir()
        target.mkdir()
        make(os.fsencode(source), tree)
        archive = TreeArchive(source)
        data = b"".join(iter(lambda: archive.read(1 << 20), b""))

        subprocess.run(["tar", "-xpPf", "-", "-C", str(target)], input=data, check=True, capture_output=True)

        assert seen(target) == seen(source)
