from __future__ import annotations

from pathlib import Path

from composer.keeper.sources import is_current, stamp


def test_an_edited_or_removed_file_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("a = 1\n")
    known = {str(file): stamp(str(file))}
    assert is_current(known)

    file.write_text("a = 12\n")
    assert not is_current(known)

    known = {str(file): stamp(str(file))}
    file.unlink()
    assert not is_current(known)
