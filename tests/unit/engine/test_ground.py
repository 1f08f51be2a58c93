from pathlib import Path

from composer.engine.ground import lay


def test_the_ground_has_what_every_start_mounts_at_and_is_mended(tmp_path: Path) -> None:
    ground = tmp_path / "data" / "ground"
    assert lay(ground) == (str(ground),)
    (ground / "etc" / "resolv.conf").unlink()
    lay(ground)

    found = sorted(str(path.relative_to(ground)) for path in ground.rglob("*"))
    assert found == ["dev", "etc", "etc/hostname", "etc/hosts", "etc/resolv.conf", "proc", "sys"]


def test_where_it_cannot_be_made_a_container_starts_without_it(tmp_path: Path) -> None:
    (tmp_path / "full").touch()

    assert lay(tmp_path / "full" / "ground") == ()
