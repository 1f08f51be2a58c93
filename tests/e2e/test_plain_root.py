"""Where overlay cannot be had, a container is a copy of its image; this is said once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine
from tests.make.image import busybox_rootfs

SHOP = f"""
services:
  web: {{image: host, command: {IDLE}}}
  box: {{image: "box:1", command: sleep 1000, stop_signal: KILL, volumes: ["data:/etc"]}}
volumes: {{data: }}
"""


@pytest.fixture
def without_overlay(engine: Engine, tmp_path: Path) -> Iterator[Engine]:
    """An engine whose data directory lies on an overlay, which takes no other as its upper."""
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, engine.data], check=True)
    try:
        yield engine
        engine.compose("down", "-v", "-t", "0", cwd=engine.home / "shop")
        engine.compose("engine", "stop", check=True)
    finally:
        subprocess.run(["umount", "-l", engine.data], check=True)


def test_containers_run_on_copies_of_their_images(without_overlay: Engine, tmp_path: Path) -> None:
    engine = without_overlay
    rootfs = busybox_rootfs(tmp_path / "box", {"etc/seed": "of the image", "kept": "image"})
    engine.compose("image", "import", str(rootfs), "box:1", check=True)
    shop = engine.project(SHOP)

    first = shop.up()

    assert first.output.count("every container gets a copy of its image") == 1
    assert "nothing to do" in shop.compose("up", "--dry-run", check=True).output
    assert "copy of its image" in engine.compose("engine", "status", check=True).stdout
    assert shop.exec("web", "python3", "-c", "print(6 * 7)").stdout == "42\n"
    assert shop.exec("box", "cat", "/etc/seed").stdout == "of the image"
    shop.exec("box", "sh", "-c", "echo changed > /kept; rm -f /bin/vi")

    assert "copy of its image" not in shop.compose("restart", "-t", "0", check=True).output
    assert shop.exec("box", "cat", "/kept").stdout == "changed\n"

    again = shop.up("--force-recreate", "-t", "0")
    assert "copy of its image" not in again.output
    assert shop.exec("box", "cat", "/kept").stdout == "image"
    assert set(shop.ps()) == {"shop-web-1", "shop-box-1"}
