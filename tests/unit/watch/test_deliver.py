import os
from pathlib import Path

import pytest

from composer.watch.deliver import Delivery, Root
from composer.watch.plan import MakeDirectory, MakeLink, Operation, Remove, SyncFiles, WriteFile
from composer.watch.tree import digest_of_file


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a").write_text("content")
    (tmp_path / "root").mkdir()
    return tmp_path / "here"


@pytest.fixture
def root(here: Path) -> Path:
    return here.with_name("root")


def delivered(root: Path, *operations: Operation) -> Delivery:
    with Root(str(root), os.getuid(), os.getgid()) as opened:
        return opened.deliver(SyncFiles(operations))


def test_a_file_arrives_with_content_mode_and_time(here: Path, root: Path) -> None:
    os.utime(here / "a", ns=(1, 2_000_000_000))
    delivery = delivered(root, WriteFile("/app/src/a", str(here / "a"), 0o751))

    there = root / "app/src/a"
    assert there.read_text() == "content"
    assert there.stat().st_mode & 0o7777 == 0o751
    assert there.stat().st_mtime_ns == 2_000_000_000
    assert not delivery.problems
    assert sorted(path.name for path in there.parent.iterdir()) == ["a"]


def test_a_reader_keeps_the_file_it_has_open(here: Path, root: Path) -> None:
    (root / "a").write_text("old")
    with (root / "a").open() as reader:
        delivered(root, WriteFile("/a", str(here / "a"), 0o644))
        assert reader.read() == "old"
    assert (root / "a").read_text() == "content"


def test_no_link_leads_out_of_the_root(here: Path, root: Path) -> None:
    outside = here.with_name("outside")
    outside.mkdir()
    (root / "app").symlink_to(outside)
    (root / "b").symlink_to("../outside/b")
    delivery = delivered(
        root,
        WriteFile("/app/a", str(here / "a"), 0o644),
        WriteFile("/b", str(here / "a"), 0o644),
        Remove("/app/../../here"),
    )

    assert list(outside.iterdir()) == []
    assert (root / "b").read_text() == "content"
    assert not (root / "b").is_symlink()
    assert here.exists()
    assert not delivery.problems


def test_a_link_inside_is_followed_as_the_container_sees_it(here: Path, root: Path) -> None:
    (root / "data").mkdir()
    (root / "app").symlink_to("/data")
    delivered(root, WriteFile("/app/a", str(here / "a"), 0o644))

    assert (root / "data/a").read_text() == "content"


def test_links_are_made_as_they_are(root: Path) -> None:
    delivered(root, MakeLink("/l", b"/nowhere/\xff"))

    assert os.readlink(os.fsencode(root / "l")) == b"/nowhere/\xff"  # noqa: PTH115


def test_directories_files_and_links_take_each_others_place(here: Path, root: Path) -> None:
    (root / "d/deep").mkdir(parents=True)
    (root / "f").write_text("file")
    delivered(root, Remove("/f"), MakeDirectory("/f", 0o700), WriteFile("/d", str(here / "a"), 0o644))

    assert (root / "d").read_text() == "content"
    assert (root / "f").stat().st_mode & 0o7777 == 0o700


def test_what_is_gone_need_not_be_removed(root: Path) -> None:
    delivery = delivered(root, Remove("/nothing/there"), Remove("/a"))

    assert not delivery.problems
    assert delivery.done == {"/nothing/there": None, "/a": None}


def test_a_file_that_vanished_here_is_no_problem(here: Path, root: Path) -> None:
    delivery = delivered(root, WriteFile("/x", str(here / "gone"), 0o644), WriteFile("/a", str(here / "a"), 0o644))

    assert not delivery.problems
    assert list(delivery.done) == ["/a"]
    assert delivery.stale == {"/x"}
    assert [path.name for path in root.iterdir()] == ["a"]


def test_a_file_that_is_another_than_was_seen_is_brought_in_and_told(here: Path, root: Path) -> None:
    seen = digest_of_file(str(here / "a"))
    assert not delivered(root, WriteFile("/a", str(here / "a"), 0o644, digest=seen)).stale

    (here / "a").write_text("newer")
    delivery = delivered(root, WriteFile("/a", str(here / "a"), 0o644, digest=seen))

    assert (root / "a").read_text() == "newer"
    assert delivery.stale == {"/a"}


def test_a_file_in_the_way_of_a_directory_is_told_and_the_rest_done(here: Path, root: Path) -> None:
    (root / "app").write_text("a file")
    delivery = delivered(root, WriteFile("/app/a", str(here / "a"), 0o644), WriteFile("/b", str(here / "a"), 0o644))

    assert [problem.path for problem in delivery.problems] == ["/app/a"]
    assert (root / "b").exists()


def test_observing_finds_what_is_there_without_making_anything(here: Path, root: Path) -> None:
    delivered(root, WriteFile("/a", str(here / "a"), 0o644))
    with Root(str(root)) as opened:
        status = opened.status("/a")
        assert status is not None
        entry = opened.entry("/a", status)
        assert opened.status("/missing/b") is None

    assert entry is not None
    assert entry.kind == "file"
    assert not (root / "missing").exists()


def test_a_file_that_is_alone_takes_only_an_empty_directorys_place(here: Path, root: Path) -> None:
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("root")
    refused = delivered(root, WriteFile("/etc", str(here / "a"), 0o644, alone=True))
    assert "end `target` with `/`" in refused.problems[0].why
    assert (root / "etc/passwd").read_text() == "root"

    (root / "etc/passwd").unlink()
    delivered(root, WriteFile("/etc", str(here / "a"), 0o644, alone=True))
    assert (root / "etc").read_text() == "content"
