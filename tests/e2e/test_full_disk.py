"""A full disk: a clear sentence, no data lost, a gap in the log rather than a frozen container, and it heals."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine, eventually
from tests.make.image import Made, busybox_rootfs, entry, tar
from tests.make.registry import running_registry

CHATTY = """["sh", "-c", "i=0; while :; do echo line $$i of a container that talks; i=$$((i+1)); echo $$i > /tally/n; done"]"""


@pytest.fixture
def small(engine: Engine) -> Iterator[Engine]:
    """An engine whose data directory has eight megabytes."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "composer-test", str(engine.data)], check=True)
    yield engine
    for project in ("shop", "next"):
        engine.compose("-p", project, "down", "-v", "-t", "1")
    engine.compose("engine", "stop", "--force")
    subprocess.run(["umount", str(engine.data)], check=True)


def fill(engine: Engine) -> Path:
    """Take all the space there is."""
    filler = engine.data / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(descriptor, b"x" * 4096)
    except OSError:
        return filler
    finally:
        os.close(descriptor)


def test_up_says_that_there_is_no_space_and_succeeds_once_there_is(small: Engine) -> None:
    shop = small.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n")
    shop.up()
    other = small.project(f"services:\n  web: {{image: host, command: {IDLE}}}\n", name="next")
    filler = fill(small)

    result = other.compose("up", "-d")

    assert result.code != 0
    assert "no space" in result.output.lower() or "full" in result.output.lower(), str(result)
    assert "Traceback" not in result.output
    assert shop.container("web")["State"] == "running"
    filler.unlink()
    other.up()
    assert other.container("web")["State"] == "running"


def test_a_container_that_talks_is_not_frozen_and_its_log_has_a_gap(small: Engine, tmp_path: Path) -> None:
    shop = small.project(f"services:\n  web: {{image: host, command: {CHATTY}, volumes: ['{tmp_path}:/tally']}}\n")
    shop.up()
    tally = tmp_path / "n"

    def count() -> int:
        return int(tally.read_text() or 0) if tally.exists() else 0

    filler = fill(small)
    eventually(lambda: count() > 0)
    before = count()
    eventually(lambda: count() > before + 5_000)  # three times what its pipe holds

    assert shop.container("web")["State"] == "running"
    filler.unlink()
    lost = eventually(lambda: [line for line in shop.logs() if "bytes of output were lost" in line])
    assert "the disk was full" in lost[0]
    shop.compose("stop", "-t", "0", check=True)
    shop.down()
    assert shop.ps() == {}


def test_down_works_on_a_full_disk_and_data_is_kept(small: Engine) -> None:
    shop = small.project(
        f"services:\n  web: {{image: host, command: {IDLE}, volumes: ['data:/data']}}\nvolumes: {{data: }}\n"
    )
    shop.up()
    shop.exec("web", "sh", "-c", "echo kept > /data/file")
    filler = fill(small)

    down = shop.compose("down")

    assert "Traceback" not in down.output
    assert "engine made a mistake" not in down.output
    filler.unlink()
    shop.down()
    assert shop.ps() == {}
    shop.up()
    assert shop.exec("web", "cat", "/data/file").stdout == "kept\n"


def test_without_a_block_left_an_engine_starts_and_images_can_be_removed(small: Engine, tmp_path: Path) -> None:
    rootfs = busybox_rootfs(tmp_path / "busybox")
    small.compose("image", "import", str(rootfs), "busybox", check=True)
    for number in range(2):
        small.compose("image", "tag", "busybox", f"busybox:{number}", check=True)
    small.compose("engine", "stop", check=True)
    filler = fill(small)

    small.compose("image", "rm", "busybox:0", check=True)
    fill(small)
    small.compose("image", "prune", "--all", "--force", check=True)

    filler.unlink()
    assert "busybox" not in small.compose("image", "ls", check=True).stdout


def test_a_build_without_space_says_so_and_succeeds_once_there_is(small: Engine, tmp_path: Path) -> None:
    rootfs = busybox_rootfs(tmp_path / "busybox")
    small.compose("image", "import", str(rootfs), "busybox", check=True)
    files = {"Dockerfile": "FROM busybox\nCOPY big /big\nRUN cp /big /copy\n", "big": "x" * 500_000}
    shop = small.project("services: {web: {build: .}}\n", files=files)
    filler = fill(small)

    result = shop.compose("build")

    assert result.code != 0
    assert "no space" in result.output.lower(), str(result)
    assert "Traceback" not in result.output
    filler.unlink()
    shop.compose("build", check=True)


def test_a_pull_without_space_says_so_and_asks_nobody_else(small: Engine, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry") as registry:
        registry.push(Made((tar(entry("big", os.urandom(12 << 20))),)), "library/big:1")
        mirrored = f'[registry."docker.io"]\nmirrors = ["http://{registry.name}"]\n'
        (small.config / "registries.toml").write_text(mirrored)

        refused = small.compose("image", "pull", "big:1")

    assert refused.code == 1
    assert "no space left on device" in refused.stderr, refused
    assert "registry-1.docker.io" not in refused.stderr
