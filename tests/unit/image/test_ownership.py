from __future__ import annotations

import os
from pathlib import Path

from composer.image.ownership import Ownership


def test_an_owner_that_is_not_mapped_becomes_ours() -> None:
    ownership = Ownership(uid=0, gid=0, uids=((0, 1), (1, 65536)), gids=((0, 1),))

    assert ownership.allowed(33, 33) == (33, 0)
    assert ownership.allowed(65536, 0) == (65536, 0)
    assert ownership.allowed(65537, -1) == (0, 0)


def test_the_whole_range_of_ids_is_roots() -> None:
    assert Ownership().allowed(4_294_967_294, 1) == (4_294_967_294, 1)
    assert Ownership().allowed(4_294_967_295, 1) == (0, 1)  # -1 means "leave it" to chown(2)


def test_it_is_read_from_the_maps_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "uid_map").write_text("         0       1000          1\n         1     100000      65536\n")
    (tmp_path / "gid_map").write_text("         0       1000          1\n")

    ownership = Ownership.of_this_process(tmp_path)

    if os.geteuid() == 0:
        assert ownership.uids == ((0, 1), (1, 65536))
        assert ownership.gids == ((0, 1),)
    assert not ownership.devices
    assert ownership.overlay_attributes == "user.overlay."
