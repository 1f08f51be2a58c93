from dataclasses import replace

import pytest

from composer.engine.translate import Placement, container_spec
from composer.runtime.user import Identity
from tests.unit.engine.shop import config


@pytest.mark.parametrize("option", ["systempaths=unconfined", "systempaths:unconfined"])
def test_system_paths_are_shown_to_whoever_asks_for_them(option: str) -> None:
    placement = Placement(identity=Identity(0, 0, (), "/root"), mounts={}, hostname="web")

    usual = container_spec(config(), placement).linux
    shown = container_spec(config(security_opt=(option,)), placement).linux

    assert "/proc/kcore" in usual.masked_paths
    assert "/proc/sys" in usual.readonly_paths
    assert shown == replace(usual, masked_paths=(), readonly_paths=())
