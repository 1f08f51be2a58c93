from pathlib import Path

import pytest

from composer.edition import KEEPER_PARTS, PACKAGE, Edition, checksum, directories, edition


@pytest.mark.parametrize(
    ("older", "newer"), [("0.1.0", "0.2.0"), ("0.9.0", "0.10.0"), ("1.0rc1", "1.0.1"), ("0.1", "0.1.1")]
)
def test_versions_are_ordered_by_their_numbers(older: str, newer: str) -> None:
    first, second = Edition(older, "a", 1), Edition(newer, "b", 1)

    assert first.precedes(second)
    assert not second.precedes(first)
    assert not first.precedes(first)


def test_an_edition_can_be_said_and_read() -> None:
    assert Edition.parse(str(edition(3))) == edition(3)
    assert Edition.parse("") is None
    assert Edition.parse("1.0 a") is None


def test_the_checksum_is_of_contents_and_names_and_of_nothing_else(tmp_path: Path) -> None:
    def package(name: str, files: dict[str, str]) -> str:
        for path, text in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return str(tmp_path / name)

    one = package("one", {"a.py": "1", "b/c.py": "2", "b/__pycache__/c.pyc": "x", "README.md": "x"})
    same = package("same", {"b/c.py": "2", "a.py": "1"})
    moved = package("moved", {"a.py": "1", "b/d.py": "2"})
    edited = package("edited", {"a.py": "1", "b/c.py": "3"})

    assert checksum(one) == checksum(same)
    assert len({checksum(each) for each in (one, moved, edited)}) == 3
    assert checksum(one, ("a.py",)) == checksum(edited, ("a.py",))
    assert checksum(one, ("b",)) != checksum(edited, ("b",))


def test_what_the_keeper_is_made_of_is_there() -> None:
    assert all((Path(PACKAGE) / part).exists() for part in KEEPER_PARTS)
    assert f"{PACKAGE}/keeper" in directories()


def test_a_file_that_is_gone_before_it_is_read_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = checksum(str(tmp_path))
    (tmp_path / "gone.py").symlink_to("nowhere")

    assert checksum(str(tmp_path)) == before
