import os
import stat
from pathlib import Path

import pytest

from composer.build.files import (
    ContentCache,
    CopyOptions,
    FilesError,
    Owner,
    Reason,
    copy,
    destination,
    inline,
    open_context,
    parse_permissions,
    select,
)
from tests.unit.build.files.trees import OWNERSHIP, Lab, look, make

FILE, EXECUTABLE, DIRECTORY = "-rw-r--r--", "-rwxr-xr-x", "drwxr-xr-x"


@pytest.fixture
def lab(tmp_path: Path, contents: ContentCache) -> Lab:
    os.umask(0o022)
    return Lab(tmp_path, contents)


def test_a_file_to_a_name(lab: Lab) -> None:
    lab.put({"a.txt": "a"})

    assert look(lab.copy("a.txt", "/b.txt")) == {"b.txt": f"{FILE} a"}


def test_a_slash_makes_the_destination_a_directory(lab: Lab) -> None:
    lab.put({"a.txt": "a"})

    assert look(lab.copy("a.txt", "/x/y/")) == {"x": DIRECTORY, "x/y": DIRECTORY, "x/y/a.txt": f"{FILE} a"}


def test_a_file_goes_into_a_directory_that_is_there(lab: Lab) -> None:
    lab.put({"a.txt": "a"})
    lab.layer({"x": None})

    assert look(lab.copy("a.txt", "/x")) == {"x": DIRECTORY, "x/a.txt": f"{FILE} a"}


def test_a_directory_stands_for_its_content(lab: Lab) -> None:
    lab.put({"src/a.txt": "a", "src/sub/b.txt": "b", "src/empty": None})
    (lab.context / "src").chmod(0o700)
    (lab.context / "src/sub").chmod(0o750)

    assert look(lab.copy("src", "/app")) == {
        "app": DIRECTORY,
        "app/a.txt": f"{FILE} a",
        "app/empty": DIRECTORY,
        "app/sub": "drwxr-x---",
        "app/sub/b.txt": f"{FILE} b",
    }


def test_the_whole_context_to_the_root(lab: Lab) -> None:
    lab.put({"a.txt": "a", ".dockerignore": "*.log\n", "b.log": "b"})

    assert look(lab.copy(".", "/")) == {".dockerignore": f"{FILE} *.log\n", "a.txt": f"{FILE} a"}


def test_several_sources_and_a_wildcard(lab: Lab) -> None:
    lab.put({"package.json": "1", "package-lock.json": "2", "other": "3", "dir/x": "4"})

    upper = lab.copy(["package*.json", "dir", "missing*"], "/app/")

    assert sorted(look(upper)) == ["app", "app/package-lock.json", "app/package.json", "app/x"]


def test_a_directory_of_the_layers_below_keeps_its_own_attributes(lab: Lab) -> None:
    lab.put({"src/a": "a"})
    base = lab.layer({"app": None, "app/old": "old"})
    (base / "app").chmod(0o1777)
    os.utime(base / "app", (1_000, 1_000))

    upper = lab.copy("src/a", "/app/")

    assert look(upper) == {"app": "drwxrwxrwt", "app/a": f"{FILE} a"}
    assert (upper / "app").stat().st_mtime == 1_000


def test_directories_within_take_the_attributes_of_the_source(lab: Lab) -> None:
    lab.put({"src/sub/a": "a"})
    (lab.context / "src/sub").chmod(0o700)
    lab.layer({"app/sub/old": "old"})

    assert look(lab.copy("src", "/app"))["app/sub"] == "drwx------"


def test_links_in_the_destination_stay_inside(lab: Lab) -> None:
    lab.put({"a": "a"})
    lab.layer({"var/run": "-> /run", "run": None, "out": "-> ../../../../tmp/x"})

    assert look(lab.copy("a", "/var/run/")) == {"run": DIRECTORY, "run/a": f"{FILE} a"}
    assert look(lab.copy("a", "/out/")) == {"tmp": DIRECTORY, "tmp/x": DIRECTORY, "tmp/x/a": f"{FILE} a"}


def test_links_in_the_destination_that_run_in_circles_are_an_error(lab: Lab) -> None:
    lab.put({"a": "a"})
    lab.layer({"x": "-> y", "y": "-> x"})

    with pytest.raises(FilesError, match="too many symbolic links"):
        lab.copy("a", "/x/")


def test_a_link_at_the_destination_is_followed_and_within_replaced(lab: Lab) -> None:
    lab.put({"src/a": "new", "b": "b"})
    lab.layer({"etc/a": "-> /etc/b", "etc/b": "old", "data": "-> etc"})

    assert look(lab.copy("src", "/data")) == {"etc": DIRECTORY, "etc/a": f"{FILE} new"}
    assert look(lab.copy("b", "/etc/a")) == {"etc": DIRECTORY, "etc/b": f"{FILE} b"}


def test_a_file_never_replaces_a_directory(lab: Lab) -> None:
    lab.put({"src/x": "file"})
    lab.layer({"app/x/y": "y"})

    with pytest.raises(FilesError, match="`/app/x`: is a directory") as failure:
        lab.copy("src", "/app")
    assert failure.value.reason is Reason.IN_THE_WAY


@pytest.mark.parametrize("other", ["file", "-> elsewhere"])
def test_a_directory_never_replaces_something_else(lab: Lab, other: str) -> None:
    lab.put({"src/x/y": "y"})
    lab.layer({"app/x": other})

    with pytest.raises(FilesError, match="`/app/x`: is no directory"):
        lab.copy("src", "/app")


def test_a_destination_below_a_file_is_an_error(lab: Lab) -> None:
    lab.put({"a": "a"})
    lab.layer({"etc/passwd": "root"})

    with pytest.raises(FilesError, match="`/etc/passwd`: is no directory"):
        lab.copy("a", "/etc/passwd/a")
    with pytest.raises(FilesError, match="`/etc/passwd`: is no directory"):
        lab.copy("a", "/etc/passwd/")


def test_a_whiteout_below_hides_what_lies_under_it(lab: Lab) -> None:
    lab.put({"a": "a"})
    lab.layer({"app/x/old": "old"})
    top = lab.layer({"app": None})
    os.mknod(top / "app/x", stat.S_IFCHR, os.makedev(0, 0))

    assert look(lab.copy("a", "/app/x")) == {"app": DIRECTORY, "app/x": f"{FILE} a"}


def test_later_sources_replace_earlier_ones(lab: Lab) -> None:
    lab.put({"one/f": "1", "two/f": "2"})

    assert look(lab.copy(["one/f", "two/f"], "/"))["f"] == f"{FILE} 2"


def test_times_modes_and_links_are_kept(lab: Lab) -> None:
    lab.put({"src/run": "x", "src/link": "-> /nowhere", "src/late": "l"})
    (lab.context / "src/run").chmod(0o4755)
    os.utime(lab.context / "src/run", ns=(5, 1_234_567_890_123_456_789))
    os.utime(lab.context / "src/link", ns=(5, 99), follow_symlinks=False)

    upper = lab.copy("src", "/app")

    assert look(upper)["app/run"] == "-rwsr-xr-x x"
    assert look(upper)["app/link"] == "link /nowhere"
    assert (upper / "app/run").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert (upper / "app/link").lstat().st_mtime_ns == 99


def test_nothing_is_later_than_the_source_date(lab: Lab) -> None:
    lab.put({"src/sub/a": "a", "src/old": "o", "src/l": "-> a"})
    os.utime(lab.context / "src/old", (10, 10))

    upper = lab.copy("src", "/new/app", options=CopyOptions(latest=1_000))

    times = {str(path.relative_to(upper)): path.lstat().st_mtime for path in [upper, *upper.rglob("*")]}
    assert times.pop("new/app/old") == 10
    assert set(times.values()) == {1_000}


def test_what_comes_from_a_context_is_roots(lab: Lab) -> None:
    lab.put({"src/a": "a"})
    os.chown(lab.context / "src/a", 1000, 1000)

    assert look(lab.copy("src", "/app"), owners=True)["app/a"] == f"{FILE} 0:0 a"


def test_what_comes_from_a_stage_keeps_its_owner(lab: Lab, tmp_path: Path) -> None:
    lower = make(tmp_path / "lower", {"app/a": "a", "app/gone": "x", "app/sub/b": "b"})
    upper = make(tmp_path / "upper", {"app": None, "app/c": "c"})
    os.chown(lower / "app/a", 7, 8)
    os.mknod(upper / "app/gone", stat.S_IFCHR, os.makedev(0, 0))

    assert look(lab.copy("app", "/out", stage=[upper, lower]), owners=True) == {
        "out": f"{DIRECTORY} 0:0",
        "out/a": f"{FILE} 7:8 a",
        "out/c": f"{FILE} 0:0 c",
        "out/sub": f"{DIRECTORY} 0:0",
        "out/sub/b": f"{FILE} 0:0 b",
    }


def test_an_owner_is_given_to_everything_that_is_made(lab: Lab) -> None:
    lab.put({"src/sub/a": "a", "src/l": "-> a"})
    lab.layer({"srv": None})

    seen = look(lab.copy("src", "/srv/new/app", options=CopyOptions(owner=Owner(5, 6))), owners=True)

    assert {name: words.split()[1] for name, words in seen.items()} == {
        "srv": "0:0",
        **dict.fromkeys(("srv/new", "srv/new/app", "srv/new/app/l", "srv/new/app/sub", "srv/new/app/sub/a"), "5:6"),
    }


def test_permissions_are_given_to_files_and_directories_within(lab: Lab) -> None:
    lab.put({"src/sub/a": "a"})

    assert look(lab.copy("src", "/app", options=CopyOptions(permissions=parse_permissions("640")))) == {
        "app": DIRECTORY,
        "app/sub": "drw-r-----",
        "app/sub/a": "-rw-r----- a",
    }
    symbolic = CopyOptions(permissions=parse_permissions("u=rwX,go=rX"))
    assert look(lab.copy("src", "/app", options=symbolic))["app/sub"] == DIRECTORY


def test_files_with_several_names_stay_one_file(lab: Lab) -> None:
    lab.put({"src/a": "a"})
    os.link(lab.context / "src/a", lab.context / "src/b")

    upper = lab.copy("src", "/app")

    assert (upper / "app/a").stat().st_ino == (upper / "app/b").stat().st_ino


def test_large_files_and_holes(lab: Lab) -> None:
    data = os.urandom(1 << 20)
    lab.put({"large": data})
    with (lab.context / "sparse").open("wb") as file:
        file.seek(1 << 26)
        file.write(b"end")

    upper = lab.copy(".", "/")

    assert (upper / "large").read_bytes() == data
    assert (upper / "sparse").read_bytes() == (lab.context / "sparse").read_bytes()
    assert (upper / "sparse").stat().st_blocks < 1000


def test_a_fifo_is_copied_and_a_socket_left_out(lab: Lab) -> None:
    lab.put({"src/a": "a"})
    os.mkfifo(lab.context / "src/pipe", 0o640)
    os.mknod(lab.context / "src/socket", stat.S_IFSOCK | 0o600)

    assert look(lab.copy("src", "/app")) == {"app": DIRECTORY, "app/a": f"{FILE} a", "app/pipe": "prw-r-----"}
    with pytest.raises(FilesError, match="is a socket"):
        lab.copy("src/socket", "/app/")


def test_attributes_that_belong_into_an_image_are_kept(lab: Lab) -> None:
    lab.put({"src/a": "a"})
    os.setxattr(lab.context / "src/a", "user.note", b"hello")
    os.setxattr(lab.context / "src/a", "user.overlay.opaque", b"y")

    assert os.listxattr(lab.copy("src", "/app") / "app/a") == ["user.note"]


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_file_that_changed_since_it_was_selected_is_an_error(lab: Lab, tmp_path: Path, size: int) -> None:
    lab.put({"a": "a" * size})
    selection = select(open_context(lab.context, lab.contents), ["a"])
    (lab.context / "a").write_text("b" * size)
    (tmp_path / "up").mkdir()

    with pytest.raises(FilesError) as failure:
        copy([selection], tmp_path / "up", [], "/", OWNERSHIP)
    assert failure.value.reason is Reason.CHANGED


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_of_a_file_that_grows_is_copied_what_was_selected(lab: Lab, tmp_path: Path, size: int) -> None:
    lab.put({"log": "a" * size})
    selection = select(open_context(lab.context, lab.contents), ["log"])
    with (lab.context / "log").open("a") as file:
        file.write("more")
    (tmp_path / "up").mkdir()

    copy([selection], tmp_path / "up", [], "/", OWNERSHIP)

    assert (tmp_path / "up/log").read_text() == "a" * size


def test_a_file_that_was_only_touched_is_the_same(lab: Lab, tmp_path: Path) -> None:
    lab.put({"a": "a"})
    selection = select(open_context(lab.context, lab.contents), ["a"])
    (lab.context / "a").touch()
    (lab.context / "a").chmod(0o600)
    (tmp_path / "up").mkdir()

    copy([selection], tmp_path / "up", [], "/", OWNERSHIP)

    assert look(tmp_path / "up") == {"a": f"{FILE} a"}


def test_a_link_put_in_the_place_of_a_file_is_not_followed(lab: Lab, tmp_path: Path) -> None:
    lab.put({"dir/a": "a"})
    make(tmp_path / "secret", {"a": "secret"})
    selection = select(open_context(lab.context, lab.contents), ["dir"])
    (lab.context / "dir").rename(lab.context / "moved")
    (lab.context / "dir").symlink_to(tmp_path / "secret")
    (tmp_path / "up").mkdir()

    with pytest.raises(FilesError):
        copy([selection], tmp_path / "up", [], "/", OWNERSHIP)
    assert "secret" not in "".join(look(tmp_path / "up").values())


def test_content_that_is_nowhere_on_a_disk(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()

    copy([inline("note", b"hello\n")], tmp_path / "up", [], "/etc/", OWNERSHIP)

    assert look(tmp_path / "up") == {"etc": DIRECTORY, "etc/note": f"{FILE} hello\n"}


def test_names_that_are_no_text(lab: Lab) -> None:
    odd = os.fsdecode(b"\xff\n\x1b[31m name")
    lab.put({f"src/{odd}": "x"})

    assert look(lab.copy("src", "/app"))[f"app/{odd}"] == f"{FILE} x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a/b", "/a/b"),
        ("b/", "/w/d/b/"),
        (".", "/w/d/"),
        ("./", "/w/d/"),
        ("../x", "/w/x"),
        ("/", "/"),
        ("x/.", "/w/d/x/"),
    ],
)
def test_a_destination_is_below_the_working_directory(text: str, expected: str) -> None:
    assert destination("/w/d", text) == expected
