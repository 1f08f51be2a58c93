from __future__ import annotations

from composer.image.image import ImageRecord
from composer.image.prune import Criteria, choose, used_bytes
from composer.oci.reference import parse


def record(
    identifier: str, name: str = "", created: float = 0, damage: str = "", layers: dict[str, int] | None = None
) -> ImageRecord:
    return ImageRecord(
        parse(name) if name else None, identifier, 0, created, f"m{identifier}", {"team": "a"}, layers or {}, damage
    )


def chosen(records: list[ImageRecord], criteria: Criteria, in_use: frozenset[str] = frozenset()) -> list[str]:
    return [each.id for each in choose(records, in_use, criteria)]


def test_only_images_without_names_go_unless_all_are_asked_for() -> None:
    records = [record("1", "a"), record("2"), record("3", "b"), record("3")]

    assert chosen(records, Criteria()) == ["2"]
    assert chosen(records, Criteria(all=True)) == ["1", "2", "3", "3"]


def test_what_a_container_was_made_from_or_cannot_be_read_stays() -> None:
    records = [record("1"), record("2", damage="no manifest"), record("3")]

    assert chosen(records, Criteria(all=True), frozenset({"3"})) == ["1"]


def test_filters_narrow() -> None:
    records = [record("1", created=10), record("2", created=20)]

    assert chosen(records, Criteria(created_before=15)) == ["1"]
    assert chosen(records, Criteria(labels=("team",))) == ["1", "2"]
    assert chosen(records, Criteria(labels=("team=a",))) == ["1", "2"]
    assert chosen(records, Criteria(labels=("team=b",))) == []


def test_the_oldest_go_until_no_more_than_the_storage_to_keep_is_left() -> None:
    records = [
        record("new", "n", 3, layers={"base": 10, "n": 1}),
        record("old", "o", 1, layers={"base": 10, "o": 5}),
        record("middle", "m", 2, layers={"base": 10, "m": 2}),
    ]

    assert used_bytes(records) == 18
    assert chosen(records, Criteria(all=True, keep_storage=13)) == ["old"]
    assert chosen(records, Criteria(all=True, keep_storage=12)) == ["old", "middle"]
    assert chosen(records, Criteria(all=True, keep_storage=18)) == []
