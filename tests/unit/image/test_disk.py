from __future__ import annotations

from pathlib import Path

import pytest

from composer.image.disk import Disk, boot_id


class Calls:
    """Takes the place of `syncfs(2)`, of which nothing can be seen; `failing` calls fail."""

    def __init__(self) -> None:
        self.count = 0
        self.failing = 0

    def synchronise(self, descriptor: int) -> None:
        self.count += 1
        if self.failing:
            self.failing -= 1
            raise OSError(5, "input/output error")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr("composer.image.disk.synchronise", calls.synchronise)
    return calls


def test_the_disk_is_waited_for_once_for_all_that_was_written(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "a").mkdir()
    disk = Disk((tmp_path, tmp_path / "a", tmp_path / "missing"))
    disk.settle()
    assert calls.count == 0

    for _ in range(3):
        with disk.unsettled():
            pass
    disk.settle()
    disk.settle()

    assert calls.count == 1  # one file system, however many directories


def test_what_is_still_being_written_is_not_settled(tmp_path: Path, calls: Calls) -> None:
    disk = Disk((tmp_path,))
    with disk.unsettled():
        disk.settle()
        disk.settle()
        assert calls.count == 2
    disk.settle()

    assert calls.count == 3


def test_what_could_not_be_settled_is_tried_again(tmp_path: Path, calls: Calls) -> None:
    disk = Disk((tmp_path,))
    with disk.unsettled():
        pass
    calls.failing = 1
    with pytest.raises(OSError, match="input/output"):
        disk.settle()
    disk.settle()

    assert calls.count == 2


def test_a_boot_has_an_id() -> None:
    assert boot_id() == boot_id() != ""
