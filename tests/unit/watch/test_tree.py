import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.ignore import DockerPatterns
from composer.watch.selection import Selection
from composer.watch.tree import Entry, Tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("a")
    (tmp_path / "src/pkg").mkdir()
    (tmp_path / "src/pkg/b.py").write_text("b")
    return tmp_path / "src"


def scanned(root: Path, **selection: DockerPatterns) -> Tree:
    tree = Tree(Selection(str(root), **selection))  # type: ignore[arg-type]
    tree.scan()
    return tree


def test_a_scan_finds_files_directories_and_links(root: Path) -> None:
    (root / "link").symlink_to("nowhere")

    assert {path: entry.kind for path, entry in scanned(root).entries.items()} == {
        "": "directory", "a.py": "file", "link": "link", "pkg": "directory", "pkg/b.py": "file",
    }  # fmt: skip


def test_what_is_told_is_what_differs(root: Path) -> None:
    tree = scanned(root)
    (root / "a.py").write_text("changed")
    (root / "pkg/b.py").write_text("b")  # written again as it was

    assert tree.look([str(root / "a.py"), str(root / "pkg/b.py")]) == ["a.py"]
    assert tree.look([str(root / "a.py")]) == []


def test_a_change_within_the_clocks_tick_is_seen(root: Path) -> None:
    path = root / "a.py"
    tree = scanned(root)
    status = path.stat()
    path.write_text("z")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert tree.look([str(path)]) == ["a.py"]


def test_a_mode_is_a_change_and_a_touch_is_none(root: Path) -> None:
    tree = scanned(root)
    (root / "a.py").chmod(0o700)
    os.utime(root / "pkg/b.py")

    assert tree.look([str(root / "a.py"), str(root / "pkg/b.py")]) == ["a.py"]


def test_a_deleted_directory_takes_all_below_along(root: Path) -> None:
    tree = scanned(root)
    (root / "pkg/b.py").unlink()
    (root / "pkg").rmdir()

    assert tree.look([str(root / "pkg")]) == ["pkg", "pkg/b.py"]
    assert sorted(tree.entries) == ["", "a.py"]


def test_a_directory_that_became_a_file_and_back(root: Path) -> None:
    tree = scanned(root)
    (root / "pkg/b.py").unlink()
    (root / "pkg").rmdir()
    (root / "pkg").write_text("file now")
    assert tree.look([str(root / "pkg"), str(root / "pkg/b.py")]) == ["pkg", "pkg/b.py"]

    (root / "pkg").unlink()
    (root / "pkg").mkdir()
    (root / "pkg/c.py").write_text("c")
    assert tree.look([str(root / "pkg")]) == ["pkg", "pkg/c.py"]


def test_an_event_of_a_new_directory_stands_for_all_in_it(root: Path) -> None:
    tree = scanned(root)
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/x").write_text("x")

    assert tree.look([str(root / "new"), str(root / "new/deep")]) == ["new", "new/deep", "new/deep/x"]


def test_what_is_ignored_is_not_there(root: Path) -> None:
    (root / "node_modules/x").mkdir(parents=True)
    (root / "node_modules/x/y.js").write_text("y")
    (root / ".a.py.swp").write_text("swap")
    tree = scanned(root, ignore=DockerPatterns(["node_modules"]))

    assert sorted(tree.entries) == ["", "a.py", "pkg", "pkg/b.py"]
    assert tree.look([str(root / "node_modules/x/y.js"), str(root / ".a.py.swp")]) == []


def test_include_leaves_what_it_names(root: Path) -> None:
    (root / "pkg/c.txt").write_text("c")

    assert sorted(scanned(root, include=DockerPatterns(["**/*.txt"])).entries) == ["", "pkg/c.txt"]


def test_fifos_sockets_and_names_in_odd_encodings(root: Path) -> None:
    os.mkfifo(root / "fifo")
    odd = os.fsencode(root) + b"/\xff\xfe"
    Path(os.fsdecode(odd)).write_text("odd")

    assert sorted(scanned(root).entries) == ["", "a.py", "pkg", "pkg/b.py", "\udcff\udcfe"]


def test_a_root_that_is_gone_keeps_what_was_known(root: Path) -> None:
    tree = scanned(root)
    root.rename(root.with_name("moved"))
    assert tree.scan() == []
    assert not tree.is_there
    assert [problem.path for problem in tree.problems] == [str(root)]
    assert (tree.scan(), tree.problems) == ([], [])

    root.with_name("moved").rename(root)
    (root / "a.py").unlink()
    assert tree.scan() == ["", "a.py"]


def test_a_root_may_be_a_file(root: Path) -> None:
    tree = scanned(root / "a.py")
    assert list(tree.entries) == [""]

    (root / "a.py").write_text("else")
    assert tree.look([str(root / "a.py")]) == [""]


def test_a_root_that_was_a_file_and_is_gone_is_told_once(root: Path) -> None:
    tree = scanned(root / "a.py")
    (root / "a.py").unlink()

    assert tree.look([str(root / "a.py")]) == [""]
    assert not tree.is_there
    assert tree.scan() == []


def test_known_files_are_not_read_again(root: Path) -> None:
    os.utime(root / "a.py", ns=(0, 0))
    first = scanned(root)
    status = (root / "a.py").stat()
    assert status
    forged = {path: Entry(e.kind, e.mode, b"remembered", e.stamp) for path, e in first.entries.items() if e.stamp}
    again = Tree(Selection(str(root)), forged)
    again.scan()

    for path in forged:
        assert again.entries[path].digest == b"remembered"


def test_nothing_is_found_through_a_link_that_took_a_directorys_place(root: Path) -> None:
    tree = scanned(root)
    (root / "pkg").rename(root / "real")
    (root / "pkg").symlink_to("real")

    assert tree.look([str(root / "pkg/b.py"), str(root / "pkg"), str(root / "real")]) == [
        "pkg", "pkg/b.py", "real", "real/b.py",
    ]  # fmt: skip
    assert "pkg/b.py" not in tree.entries


def test_what_is_in_doubt_is_told_whatever_is_found(root: Path) -> None:
    tree = scanned(root)
    tree.doubts.update({"a.py", "gone.py"})

    assert tree.look([]) == ["a.py", "gone.py"]
    assert tree.look([]) == []


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """Ordinary rights, where the tests run with all."""
    before = os.geteuid()
    for place in (tmp_path, *tmp_path.parents[:3]):
        place.chmod(place.stat().st_mode | 0o755)
    os.seteuid(before or 65534)
    yield
    os.seteuid(before)


def test_what_cannot_be_read_stays_as_it_was_known(root: Path, nobody: None) -> None:
    tree = scanned(root)
    os.seteuid(os.getuid())
    (root / "pkg").chmod(0)
    os.seteuid(os.getuid() or 65534)

    assert [path for path in tree.scan() if path != "pkg"] == []
    assert {problem.path for problem in tree.problems} == {str(root / "pkg")}
    assert tree.look([str(root / "pkg/b.py")]) == []
    assert {problem.why for problem in tree.problems} == {"permission denied"}
    assert "pkg/b.py" in tree.entries
