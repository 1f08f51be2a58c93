"""Archives that try to write, link or read outside of their layer. After each, the world outside is as it was."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.errors import ImageError
from composer.image.faithful import first_unlike
from composer.image.layer import unpack
from composer.image.ownership import Ownership
from tests.make.image import directory, entry, hardlink, symlink, tar

Entry = tuple[tarfile.TarInfo, bytes]

OURS = Ownership.of_this_process()


def listed(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Where the layer goes; what lies beside it must stay as it is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    yield tmp_path / "layer"
    assert listed(tmp_path) in (["layer", "outside"], ["outside"])
    assert listed(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert (outside / "secret").stat().st_nlink == 1


def apply(root: Path, *entries: Entry) -> Path:
    unpack(io.BytesIO(tar(*entries)), root, OURS)
    assert first_unlike(io.BytesIO(tar(*entries)), root) == ""
    return root


def refused(root: Path, *entries: Entry) -> str:
    with pytest.raises(ImageError) as caught:
        apply(root, *entries)
    return caught.value.message


@pytest.mark.parametrize("name", ["../outside/new", "a/../../outside/new", "..", "a/..", "/../outside/new", "./../x"])
def test_a_name_that_climbs_is_refused(root: Path, name: str) -> None:
    assert "the name is not allowed" in refused(root, entry(name, b"evil"))
    assert not root.with_name("x").exists()


def test_an_absolute_name_is_one_below_the_root(root: Path) -> None:
    apply(root, entry("/etc/passwd", b"evil"), directory("/"), entry("//a///b", b"x"))

    assert (root / "etc/passwd").read_bytes() == b"evil"
    assert (root / "a/b").read_bytes() == b"x"


def test_a_name_with_nul_is_refused(root: Path) -> None:
    assert "not allowed" in refused(root, entry("x", b"evil", pax_headers={"path": "file\0.txt"}))


@pytest.mark.parametrize("target", ["{outside}", "../outside", "/../../outside", "a/../../outside"])
def test_a_symlink_is_followed_inside_the_layer_only(root: Path, target: str) -> None:
    target = target.format(outside=root.parent / "outside")
    apply(root, directory("a"), symlink("link", target), entry("link/new", b"evil"))

    assert (root / "link").is_symlink()
    found = [Path(place, name) for place, _, names in os.walk(root) for name in names if name == "new"]
    assert len(found) == 1  # where the link leads if the layer is the whole world


def test_a_file_is_not_written_through_a_symlink_of_its_name(root: Path) -> None:
    apply(root, symlink("file", str(root.parent / "outside/secret")), entry("file", b"evil"))

    assert (root / "file").read_bytes() == b"evil"
    assert not (root / "file").is_symlink()


def test_a_directory_takes_the_place_of_a_symlink_of_its_name(root: Path) -> None:
    apply(root, symlink("d", str(root.parent / "outside")), directory("d", mode=0o777), entry("d/new", b"x"))

    assert stat.S_ISDIR((root / "d").lstat().st_mode)
    assert (root / "d/new").read_bytes() == b"x"


def test_a_link_of_links_leads_out_no_more_than_one(root: Path) -> None:
    apply(root, symlink("a", ".."), symlink("b", "a/.."), symlink("c", "b/../outside"), entry("c/new", b"evil"))

    assert (root / "outside/new").read_bytes() == b"evil"


def test_links_in_a_circle_are_refused(root: Path) -> None:
    assert "too many symlinks" in refused(root, symlink("a", "b"), symlink("b", "a"), entry("a/x"))


def test_a_file_below_a_file_is_refused(root: Path) -> None:
    assert "`a` is not a directory" in refused(root, entry("a"), entry("a/b"))


def test_an_empty_symlink_is_refused(root: Path) -> None:
    assert "symlink to nothing" in refused(root, symlink("a", ""))


@pytest.mark.parametrize("target", ["../outside/secret", "/../outside/secret", "a/../../outside/secret"])
def test_a_hardlink_that_climbs_is_refused(root: Path, target: str) -> None:
    assert "the name is not allowed" in refused(root, hardlink("mine", target))


def test_a_hardlink_to_an_absolute_path_means_one_in_the_layer(root: Path) -> None:
    assert "no file of this layer" in refused(root, hardlink("mine", str(root.parent / "outside/secret")))
    assert "no file of this layer" in refused(root.with_name("layer") / "again", hardlink("mine", "/etc/passwd"))


@pytest.mark.parametrize("through", ["link/secret", "deep/link/secret"])
def test_a_hardlink_through_a_symlink_stays_inside(root: Path, through: str) -> None:
    outside = str(root.parent / "outside")
    entries = (symlink("link", outside), symlink("deep/link", outside), hardlink("mine", through))

    assert "no file of this layer" in refused(root, *entries)


def test_a_hardlink_to_a_symlink_is_the_symlink_itself(root: Path) -> None:
    secret = str(root.parent / "outside/secret")
    apply(root, symlink("link", secret), hardlink("mine", "link"), entry("mine", b"evil"))

    assert (root / "mine").read_bytes() == b"evil"
    assert (root / "link").is_symlink()


def test_a_hardlink_to_itself_or_to_a_directory_changes_nothing(root: Path) -> None:
    apply(root, entry("file", b"x"), hardlink("file", "file"))

    assert (root / "file").read_bytes() == b"x"
    assert "no file" in refused(root / "again", directory("d"), hardlink("mine", "d"))


def test_a_hardlink_to_the_root_is_refused(root: Path) -> None:
    assert "no file" in refused(root, hardlink("mine", "/"))


@pytest.mark.parametrize("name", [".wh.", "a/.wh.", ".wh...", ".wh..", "a/.wh..."])
def test_a_whiteout_of_the_root_or_of_what_is_above_is_refused(root: Path, name: str) -> None:
    assert "whiteout of nothing" in refused(root, entry(name))


def test_a_whiteout_is_not_followed(root: Path) -> None:
    apply(root, symlink("link", str(root.parent / "outside")), entry("link/.wh.secret"), entry(".wh.link"))

    assert (root / "link").is_symlink()


def test_an_opaque_mark_behind_a_symlink_stays_inside(root: Path) -> None:
    apply(root, symlink("link", str(root.parent / "outside")), entry("link/.wh..wh..opq"))

    assert os.listxattr(root.parent / "outside") == []


def test_the_root_cannot_be_anything_but_a_directory(root: Path) -> None:
    assert "root is not a directory" in refused(root, entry("/", b"x"))
    assert "root is not a directory" in refused(root / "again", symlink("./", "/etc"))


def test_the_last_of_equal_entries_wins_whatever_they_are(root: Path) -> None:
    apply(
        root,
        entry("a", b"one"),
        entry("a", b"two"),
        directory("d"),
        entry("d/e/f/g", b"x"),
        entry("d", b"file now"),
        symlink("s", "a"),
        entry("s", type=tarfile.FIFOTYPE),
        directory("d2", mode=0o700),
        directory("d2", mode=0o711),
        entry("d2/kept"),
        directory("d2"),
    )

    assert (root / "a").read_bytes() == b"two"
    assert (root / "d").read_bytes() == b"file now"
    assert stat.S_ISFIFO((root / "s").lstat().st_mode)
    assert (root / "d2/kept").exists()


def test_a_replaced_directory_is_not_written_to_any_more(root: Path) -> None:
    secret = str(root.parent / "outside")
    apply(root, directory("d"), entry("d/a"), symlink("d", secret), entry("d/new", b"evil"))

    assert (root / "d").is_symlink()


def test_control_characters_of_a_name_do_not_reach_the_terminal(root: Path) -> None:
    message = refused(root, entry("../\x1b[31mred\n"))

    assert "\x1b" not in message
    assert "\\x1b[31mred\\n" in message


names = st.sampled_from(["a", "b", "a/b", "b/a", "a/b/c", ".wh.a", "a/.wh.b", "a/.wh..wh..opq", "/a", "./b", "b/"])
targets = st.sampled_from(
    ["a", "b", "..", "/", "../outside", "../../outside/secret", "a/../..", "/outside", "b/a", "."]
)
entries_of_any_kind = st.lists(
    st.one_of(
        names.map(lambda name: entry(name, b"evil")),
        names.map(directory),
        st.builds(symlink, names, targets),
        st.builds(hardlink, names, st.one_of(names, targets)),
        names.map(lambda name: entry(name, type=tarfile.BLKTYPE, devmajor=8)),
    ),
    max_size=12,
)


@given(entries=entries_of_any_kind)
def test_no_archive_reaches_what_lies_outside(tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]) -> None:
    place = tmp_path_factory.mktemp("any")
    (place / "outside").mkdir()
    (place / "outside/secret").write_text("secret")
    before = (place / "outside/secret").stat()
    with suppress(ImageError):
        apply(place / "layer", *entries)

    assert listed(place) == ["layer", "outside"]
    assert listed(place / "outside") == ["secret"]
    assert (place / "outside/secret").stat() == before
