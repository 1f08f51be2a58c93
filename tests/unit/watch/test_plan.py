from composer.watch.plan import Wanted, plan
from composer.watch.tree import DIRECTORY, FILE, LINK, Entry


def file(digest: bytes = b"1", mode: int = 0o644) -> Entry:
    return Entry(FILE, mode, digest)


DIR = Entry(DIRECTORY, 0o755)


def planned(want: dict[str, Entry], have: dict[str, Entry]) -> str:
    wanted = {target: Wanted(entry, f"/here{target}") for target, entry in want.items()}
    return str(plan(want.keys() | have.keys(), wanted, have))


def test_what_is_the_same_needs_nothing() -> None:
    assert planned({"/a": file(), "/d": DIR}, {"/a": file(), "/d": DIR}) == ""


def test_directories_come_before_what_is_in_them() -> None:
    assert planned({"/d/e/f": file(), "/d": DIR, "/d/e": DIR, "/l": Entry(LINK, 0, b"d")}, {}) == (
        "directory /d\ndirectory /d/e\nwrite /d/e/f\nlink /l"
    )


def test_a_directory_that_goes_is_removed_as_a_whole() -> None:
    assert planned({}, {"/d": DIR, "/d/a": file(), "/d/e": DIR, "/d.txt": file()}) == "remove /d.txt\nremove /d"


def test_removals_come_first() -> None:
    assert planned({"/b": file()}, {"/a": file()}) == "remove /a\nwrite /b"


def test_a_directory_that_becomes_a_file_goes_first() -> None:
    assert planned({"/d": file()}, {"/d": DIR, "/d/a": file()}) == "remove /d/a\nremove /d\nwrite /d"


def test_a_file_that_becomes_a_directory_goes_first() -> None:
    assert planned({"/d": DIR, "/d/a": file()}, {"/d": file()}) == "remove /d\ndirectory /d\nwrite /d/a"


def test_a_mode_alone_is_reason_enough() -> None:
    assert planned({"/a": file(mode=0o755)}, {"/a": file()}) == "write /a"


def test_what_we_did_not_bring_stays() -> None:
    assert str(plan(["/foreign"], {}, {})) == ""
