from pathlib import Path
from typing import Any

from composer.keeper.journal import Journal


def an_exit(id_: str) -> dict[str, Any]:
    return {"id": id_, "pid": 7, "status": 3, "time": 1.5}


def test_exits_are_there_for_the_next_keeper(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.record(an_exit("a"))
    journal.record(an_exit("b"))
    journal.acknowledge(["a", "unknown"])

    assert Journal(tmp_path / "journal").exits == {"b": an_exit("b")}


def test_the_file_is_emptied_with_the_last_acknowledgement(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.record(an_exit("a"))
    journal.acknowledge(["a"])

    assert (tmp_path / "journal").read_bytes() == b""


def test_a_line_cut_short_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).record(an_exit("a"))
    with path.open("ab") as file:
        file.write(b'{"id": "torn", "pi')
    Journal(path).record(an_exit("b"))

    assert set(Journal(path).exits) == {"a", "b"}
