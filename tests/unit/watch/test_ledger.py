from pathlib import Path

from composer.watch.ledger import Ledger
from composer.watch.tree import DIRECTORY, FILE, Entry

A = Entry(FILE, 0o644, b"digest", -(1 << 62))
D = Entry(DIRECTORY, 0o755)


def test_what_was_entered_is_there_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.enter("one", {"/a": A, "/d": D, "/\udcff": A})
    ledger.enter("other", {"/b": A})
    ledger.close()

    again = Ledger(tmp_path / "l.db")
    assert again.entries("one") == {"/a": A, "/d": D, "/\udcff": A}
    assert again.of("one", ["/a", "/b"]) == {"/a": A}
    assert again.owners() == ["one", "other"]
    again.close()


def test_what_goes_takes_all_below_along(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.enter("one", {"/d": D, "/d/a": A, "/d.txt": A, "/d0": A})
    ledger.enter("one", {"/d": None})

    assert sorted(ledger.entries("one")) == ["/d.txt", "/d0"]
    ledger.close()


def test_what_is_in_doubt_is_the_same_as_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.enter("one", {"/a": A})
    ledger.doubt("one", ["/a"])

    assert ledger.of("one", ["/a"])["/a"].in_doubt
    ledger.close()


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "l.db").write_bytes(b"no database" * 100)
    ledger = Ledger(tmp_path / "l.db")

    assert ledger.entries("one") == {}
    ledger.close()
